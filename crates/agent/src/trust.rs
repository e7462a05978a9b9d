//! The trust store of this machine: the anchors an operator installed, on the disk, and `cccd-agent trust`.

mod answer;
mod arguments;
mod command;
mod desk;
mod directory;
mod edition;
mod fetch;
mod guarded;
mod loaded;
mod plan;
mod table;
mod words;

pub use directory::TrustStoreError;
pub use edition::EditionFault;
pub use guarded::FileFault;
pub use loaded::{LoadedTrust, TrustHandle, load};

pub(crate) use arguments::TrustArguments;
pub(crate) use command::run;
