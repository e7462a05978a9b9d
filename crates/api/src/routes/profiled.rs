//! Readings under a consumer's profile: who may have one, and what is done with it once it is complete, whether or not
//! anybody comes for its result.

use std::sync::Arc;

use cccd_consumers::{Disclosure, ReadyProfile, Shaped, Subject};
use cccd_document::QrPayload;
use cccd_engine::{Conclude, InRegister, ReadFailure, ReadId, Reading, UnderProfile};
use tokio::runtime::Handle;

use crate::api::Desk;
use crate::callers::Caller;
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::registers::Arrival;
use crate::wire::{AdmissionJson, RegisterWishJson, Secret};

/// The longest name of a session.
const LONGEST_SESSION: usize = 64;

/// What a request says of a profile.
#[derive(Clone, Copy)]
pub(super) struct ProfileWish<'a> {
    pub(super) profile: Option<&'a str>,
    pub(super) insurance: Option<&'a Secret>,
    pub(super) register: Option<&'a RegisterWishJson>,
    /// Whether it says beside what is to be read.
    pub(super) chooses: bool,
}

/// The profile that is asked for, which the caller must be granted and the desk must have, and what the engine hands on
/// with a reading under it.
pub(super) async fn granted(
    desk: &Desk,
    caller: &Caller,
    wish: ProfileWish<'_>,
) -> Result<Option<(Arc<ReadyProfile>, UnderProfile)>, Refusal> {
    let invalid = |why| Err(Refusal::from(Fault::BodyInvalid).because(why));
    let Some(name) = wish.profile else {
        return match (wish.insurance, wish.register) {
            (Some(_), _) => invalid("insurance: only a profile takes something of it"),
            (_, Some(_)) => invalid("register: only readings under a profile go into one"),
            (None, None) => Ok(None),
        };
    };
    if wish.chooses {
        return invalid("profile: it says what is read, so neither fields nor portrait stand beside it");
    }
    if !caller.profiles.iter().any(|granted| granted == name) {
        return Err(Fault::ProfileNotGranted.into());
    }
    let ready = desk.profiles.find(name).filter(|ready| !ready.lacks_key());
    let ready = ready.filter(|ready| ready.profile.deliver.iter().all(|target| desk.deliveries.has(target)));
    let ready = ready.ok_or(Fault::ProfileUnavailable)?;
    let insurance = wish.insurance.map(|text| {
        let payload = QrPayload::parse(text.0.expose().as_bytes());
        payload.insurance().cloned().map(Box::new).ok_or_else(|| {
            Refusal::from(Fault::BodyInvalid).because("insurance: not the code of a health insurance card")
        })
    });
    let register = in_register(desk, &ready, wish.register).await?;
    let under = UnderProfile {
        profile: ready.profile.name.as_str().into(),
        insurance: insurance.transpose()?,
        register,
        conclude: conclude_here(desk),
    };
    Ok(Some((ready, under)))
}

/// Where the holder is entered. It must be a register of this very profile, which lets people stand in one.
async fn in_register(
    desk: &Desk,
    ready: &ReadyProfile,
    wish: Option<&RegisterWishJson>,
) -> Result<Option<InRegister>, Refusal> {
    let Some(wish) = wish else { return Ok(None) };
    let words = wish.session.chars().count() <= LONGEST_SESSION && !wish.session.contains(char::is_control);
    if !words {
        return Err(Refusal::from(Fault::BodyInvalid).because("register.session: 64 characters are possible"));
    }
    let (registers, name) = (Arc::clone(&desk.registers), wish.name.clone());
    let profile = ready.profile.name.clone();
    // A roster that has changed is read anew, which takes its time.
    let of_profile =
        tokio::task::spawn_blocking(move || registers.profile_of(&name) == Some(profile.as_str()));
    if !of_profile.await.unwrap_or(false) || ready.profile.retention_days == 0 {
        return Err(Fault::RegisterUnavailable.into());
    }
    Ok(Some(InRegister { name: wish.name.as_str().into(), session: wish.session.as_str().into() }))
}

/// What a reading under a profile came to. Without one there is neither.
pub(super) struct Concluded {
    pub(super) disclosure: Option<Disclosure>,
    pub(super) admission: Option<AdmissionJson>,
}

/// Concludes each reading when it is complete, on the runtime this is called on.
fn conclude_here(desk: &Desk) -> Conclude {
    let (desk, runtime) = (desk.clone(), Handle::current());
    Conclude::by(move |read, reading| {
        let desk = desk.clone();
        // What has begun is done also where the program stops meanwhile.
        runtime.spawn_blocking(move || {
            // What cannot be kept is told to the caller who fetches the result, and in the log.
            let _ = concluded(&desk, read, &reading);
        });
    })
}

/// Delivers the result of a reading and enters its holder before anybody is answered; again, it changes nothing.
pub(super) async fn conclude(desk: &Desk, read: ReadId, reading: Arc<Reading>) -> Result<Concluded, Refusal> {
    if reading.under.is_none() {
        return Ok(Concluded { disclosure: None, admission: None });
    }
    let desk = desk.clone();
    // Writing to the disk takes its time.
    let done = tokio::task::spawn_blocking(move || concluded(&desk, read, &reading)).await;
    done.map_err(|_| Refusal::from(ReadFailure::AgentFault).about(read))?
}

fn concluded(desk: &Desk, read: ReadId, reading: &Reading) -> Result<Concluded, Refusal> {
    let disclosure = disclosure(desk, read, reading)?;
    let Some(given) = &disclosure else { return Ok(Concluded { disclosure, admission: None }) };
    deliver(desk, read, given)?;
    let admission = enter(desk, read, reading, given)?;
    Ok(Concluded { disclosure, admission })
}

/// What the consumer gets, where the reading was made under a profile.
fn disclosure(desk: &Desk, read: ReadId, reading: &Reading) -> Result<Option<Disclosure>, Refusal> {
    let Some(under) = &reading.under else { return Ok(None) };
    let unavailable = || Refusal::from(Fault::ProfileUnavailable).about(read);
    let ready = desk.profiles.find(&under.profile).ok_or_else(unavailable)?;
    let (read_id, reader_id) = (read.to_string(), reading.reader.to_string());
    let subject = Subject {
        evidence: &reading.evidence,
        verdict: &reading.verdict,
        portrait: reading.portrait.as_ref(),
        code: reading.code.as_deref(),
        insurance: under.insurance.as_deref(),
        finished: reading.finished,
        read_id: &read_id,
        reader_id: &reader_id,
    };
    ready.disclose(&subject).map(Some).map_err(|_| unavailable())
}

/// Puts what the consumer gets into the outbox, where its profile has it delivered.
fn deliver(desk: &Desk, read: ReadId, disclosure: &Disclosure) -> Result<(), Refusal> {
    let Some(output) = disclosure.output.as_ref().filter(|_| !disclosure.deliver.is_empty()) else {
        return Ok(());
    };
    let (body, key) = (output.to_json(), read.to_string());
    let kept =
        disclosure.deliver.iter().try_for_each(|target| desk.deliveries.put(target, &key, body.as_bytes()));
    kept.map_err(|_| Refusal::from(Fault::OutboxUnavailable).about(read))
}

/// Enters the holder in the register that the request names.
fn enter(
    desk: &Desk,
    read: ReadId,
    reading: &Reading,
    disclosure: &Disclosure,
) -> Result<Option<AdmissionJson>, Refusal> {
    let Some(wish) = reading.under.as_ref().and_then(|under| under.register.as_ref()) else {
        return Ok(None);
    };
    let unavailable = || Refusal::from(Fault::RegisterUnavailable).about(read);
    let ready = desk.profiles.find(&disclosure.profile).ok_or_else(unavailable)?;
    let output = disclosure.output.as_ref().map(Shaped::to_json);
    let record = &reading.record;
    let number = record.personal_number.as_ref().or(record.document_number.as_ref());
    let birth = record.birth.as_ref().and_then(|birth| birth.value.date.to_printed()).unwrap_or_default();
    let admission = desk.registers.enter(&Arrival {
        register: &wish.name,
        session: &wish.session,
        read: &read.to_string(),
        number: number.map_or("", |number| number.value.expose()),
        name: record.full_name.as_ref().map_or("", |name| name.value.expose()),
        birth: birth.expose(),
        // A document without any number names nobody.
        output: output.as_ref().filter(|_| number.is_some()).map(|output| output.as_bytes()),
        retention_days: ready.profile.retention_days,
    });
    let admission = admission.map_err(|_| unavailable())?;
    Ok(Some(AdmissionJson::new(&wish.name, &wish.session, admission)))
}
