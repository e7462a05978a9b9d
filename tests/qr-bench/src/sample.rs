//! One frame of the race.

use std::sync::Arc;

use cccd_firmware_sim::card_image::{Conditions, Frame, Truth};

/// A grey picture and what is known about it.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) grey: Arc<[u8]>,
    pub(crate) level: u8,
    /// `None` where the frame shows no code.
    pub(crate) payload: Option<Vec<u8>>,
    /// Known for rendered frames only.
    pub(crate) rendered: Option<Rendered>,
}

/// What only the renderer knows.
pub(crate) struct Rendered {
    pub(crate) conditions: Conditions,
    pub(crate) truth: Option<Truth>,
}

impl Sample {
    pub(crate) fn rendered(index: u64, frame: Frame) -> Self {
        Self {
            name: index.to_string(),
            width: frame.width,
            height: frame.height,
            grey: frame.grey.into(),
            level: frame.level.number(),
            payload: frame.truth.as_ref().map(|truth| truth.payload.clone()),
            rendered: Some(Rendered { conditions: frame.conditions, truth: frame.truth }),
        }
    }

    /// Whether its time counts: times are compared at one size only.
    pub(crate) fn is_timed(&self) -> bool {
        (self.width, self.height) == (1280, 720)
    }
}
