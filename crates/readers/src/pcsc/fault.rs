//! What the smart-card service's error codes mean for a reading.

use cccd_card::TransportError;
use pcsc::Error;

/// Whether the connection to the service is gone for good. Seen with pcsc-lite 1.9.9 killed under a waiting
/// client: `CommError` first, `NoService` afterwards, once `SecurityViolation` from an establish that hit
/// the dying daemon; the context's own validity check says all is well (virtual-hardware notes, 1.6).
pub(super) fn service_is_lost(error: Error) -> bool {
    matches!(
        error,
        Error::NoService
            | Error::ServiceStopped
            | Error::CommError
            | Error::SecurityViolation
            | Error::InvalidHandle
            | Error::Shutdown
            | Error::SystemCancelled
    )
}

/// What an error of a call about a card means, as far as the code alone can tell.
pub(super) fn transport_error(error: Error) -> TransportError {
    match error {
        lost if service_is_lost(lost) => TransportError::ServiceLost,
        Error::RemovedCard | Error::NoSmartcard => TransportError::CardRemoved,
        Error::ResetCard => TransportError::CardReset,
        Error::UnresponsiveCard | Error::UnpoweredCard | Error::UnsupportedCard | Error::ProtoMismatch => {
            TransportError::CardMute
        }
        Error::SharingViolation => TransportError::HeldElsewhere,
        Error::ReaderUnavailable | Error::UnknownReader | Error::NoReadersAvailable | Error::NotReady => {
            TransportError::ReaderLost
        }
        // NotTransacted and whatever else: the caller asks for the state of things before it decides.
        _ => TransportError::NotTransacted,
    }
}
