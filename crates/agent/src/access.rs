//! What was given on the command line to open the chip with.

use anyhow::{Context as _, Result, bail};
use cccd_document::{AccessInput, AccessPlan, Personal};

use crate::command_line::{AccessArguments, value_or_stdin};

/// The keys to try, and the scanned record where they come from a code.
pub(crate) fn plan(arguments: &AccessArguments) -> Result<AccessPlan> {
    type Make = fn(Personal) -> AccessInput;
    let given: [(&Option<String>, Make); 4] = [
        (&arguments.can, AccessInput::Can),
        (&arguments.qr, AccessInput::QrText),
        (&arguments.mrz, AccessInput::MrzLines),
        (&arguments.id, AccessInput::PersonalNumber),
    ];
    let Some((value, input)) = given.into_iter().find_map(|(value, make)| Some((value.as_ref()?, make)))
    else {
        bail!("one of --can, --qr, --mrz, --id opens the chip");
    };
    let value = value_or_stdin(value)?;
    let plan = input(Personal::from(value.trim_end_matches(['\r', '\n']))).plan();
    plan.context("không mở được thẻ bằng thông tin này · this cannot open a card")
}
