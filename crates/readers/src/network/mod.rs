//! Readers with a network of their own that converse with chips by themselves: the HN212 and 3T class.
//!
//! Each has a keeper, the thread that holds the line to it ([`mod@line`]; under TLS, [`mod@tls`]) and writes down what it says
//! ([`place`]). Nothing is dialled but the addresses of the settings, and no request can name one.

mod keeper;
mod line;
mod place;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use cccd_card::{
    Behind, CardChannel, CardFiles, ChannelLimits, ReaderEvent, ReaderId, ReaderInfo, ReaderSource,
    StopSignal, Transport, TransportError,
};
use cccd_profiles::DeskNetworkReader;

use self::keeper::Keeper;
use self::place::{GivenCard, News, Place};

/// How this source behaves.
#[derive(Debug, Clone)]
pub struct NetworkOptions {
    /// The readers of this desk.
    pub readers: Vec<DeskNetworkReader>,
    /// How long a reader may take from seeing a card to its files.
    pub files_within: Duration,
    /// How long the files of a card are kept that nobody asks for; then they are wiped.
    pub keep: Duration,
}

/// The readers of this desk that have a network of their own.
#[derive(Debug)]
pub struct NetworkSource {
    options: NetworkOptions,
    places: BTreeMap<ReaderId, Arc<Place>>,
}

impl NetworkSource {
    /// A source that behaves so.
    pub fn new(options: NetworkOptions) -> Self {
        let place = |reader: &DeskNetworkReader| {
            (reader.id(), Arc::new(Place::new(reader.id(), options.files_within, options.keep)))
        };
        let places = options.readers.iter().map(place).collect();
        Self { options, places }
    }
}

impl ReaderSource for NetworkSource {
    fn name(&self) -> &'static str {
        "network"
    }

    fn watch(&self, tell: &mut dyn FnMut(ReaderEvent), stop: &StopSignal) {
        let mut unseen = self.options.readers.len();
        if unseen == 0 {
            tell(ReaderEvent::SourceReady("network"));
        }
        let (telling, news) = mpsc::channel();
        std::thread::scope(|scope| {
            for reader in &self.options.readers {
                let Some(place) = self.places.get(&reader.id()) else { continue };
                place.tell_to(telling.clone());
                let info = ReaderInfo {
                    id: reader.id(),
                    name: reader.name.clone(),
                    transport: Transport::Network,
                    behind: Behind::Device,
                    // It carries no command at all.
                    limits: ChannelLimits { max_command: 0, max_reply: 0 },
                };
                let token_file = reader.token_file.as_deref();
                let (address, trust) = (reader.address, reader.tls.as_ref());
                let keeper = Keeper { info, address, trust, token_file, place, stop };
                scope.spawn(move || keeper.keep());
            }
            drop(telling);
            for news in news {
                match news {
                    News::Event(event) => tell(event),
                    News::Looked => {
                        unseen = unseen.saturating_sub(1);
                        if unseen == 0 {
                            tell(ReaderEvent::SourceReady("network"));
                        }
                    }
                }
            }
        });
    }

    /// There are no channels here: [`ReaderSource::files_of`] is the way.
    fn connect(&self, _: &ReaderId) -> Result<Box<dyn CardChannel>, TransportError> {
        Err(TransportError::NotTransacted)
    }

    fn files_of(&self, reader: &ReaderId) -> Option<Result<Box<dyn CardFiles>, TransportError>> {
        let Some(place) = self.places.get(reader) else { return Some(Err(TransportError::ReaderLost)) };
        Some(GivenCard::on(place).map(|card| Box::new(card) as Box<dyn CardFiles>))
    }
}
