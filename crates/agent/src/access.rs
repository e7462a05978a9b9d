//! What was given on the command line to open the chip with.

use anyhow::{Context as _, Result, bail};
use cccd_document::{AccessInput, AccessPlan, Personal};

use crate::command_line::{AccessArguments, value_or_stdin};

/// Where the keys to try come from.
pub(crate) enum Access<'a> {
    /// From what was given.
    Known(AccessPlan),
    /// From the code in this picture.
    Picture(&'a str),
    /// From the code that is scanned next.
    Scan,
}

/// What the arguments say.
pub(crate) fn of(arguments: &AccessArguments) -> Result<Access<'_>> {
    type Make = fn(Personal) -> AccessInput;
    if arguments.scan {
        return Ok(Access::Scan);
    }
    if let Some(image) = &arguments.image {
        return Ok(Access::Picture(image));
    }
    let given: [(&Option<String>, Make); 4] = [
        (&arguments.can, AccessInput::Can),
        (&arguments.qr, AccessInput::QrText),
        (&arguments.mrz, AccessInput::MrzLines),
        (&arguments.id, AccessInput::PersonalNumber),
    ];
    let Some((value, input)) = given.into_iter().find_map(|(value, make)| Some((value.as_ref()?, make)))
    else {
        bail!("one of --can, --qr, --mrz, --id, --scan, --image opens the chip");
    };
    let value = value_or_stdin(value)?;
    let plan = input(Personal::from(value.trim_end_matches(['\r', '\n']))).plan();
    plan.map(Access::Known).context("không mở được thẻ bằng thông tin này · this cannot open a card")
}
