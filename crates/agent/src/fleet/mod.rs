//! This desk among the others of its operator: what it says of itself to the broker, and a look at all of them.

mod command;
mod reporter;

use anyhow::{Context as _, Result};
use cccd_delivery::TargetFiles;
use cccd_delivery::fleet::Broker;
use cccd_profiles::FleetSettings;

use crate::target_files;

pub(crate) use command::{FleetArguments, run};
pub(crate) use reporter::{Facts, Reporter};

/// Connects this desk to its broker. A broker that is away is no mistake: it is tried again. Called within the runtime.
pub(crate) fn connect(settings: &FleetSettings) -> Result<Broker> {
    Broker::connect(settings, &files(settings)?).context("[fleet] cannot be used")
}

/// What the section names.
fn files(settings: &FleetSettings) -> Result<TargetFiles> {
    let mut files = target_files::of_tls(&settings.tls)?;
    let login = settings.login.as_ref();
    files.password = login.map(|login| target_files::secret(&login.password_file)).transpose()?;
    Ok(files)
}
