//! Files a chip shows, each as if the chip had been read to its end.

use std::collections::BTreeMap;
use std::hint::black_box;

use cccd_document::record::{CitizenRecord, RecordSources};
use cccd_document::{
    AccessProtocol, AccessRun, Biometric, BiometricGroup, ChipProofs, DataGroup13, DataGroup14, DataGroup15,
    EfCom, EfSod, Evidence, FileId, FileOutcome, PasswordKind, PublicKey, SecurityInfos,
};
use cccd_trust::rsa::RsaPublicKey;
use cccd_trust::{compare_hashes, signature};
use time::macros::date;
use zeroize::Zeroizing;

use crate::trust;

pub(crate) fn card_access(bytes: &[u8]) -> Option<()> {
    use_options(&SecurityInfos::parse(bytes).ok()?);
    Some(())
}

pub(crate) fn ef_com(bytes: &[u8]) -> Option<()> {
    black_box(EfCom::parse(bytes).ok()?);
    Some(())
}

pub(crate) fn ef_sod(bytes: &[u8]) -> Option<()> {
    let sod = EfSod::parse(bytes).ok()?;
    black_box(format!("{sod:?}"));
    black_box(compare_hashes(&reading([(FileId::EfSod, bytes), (FileId::DG1, b"\x61\x00")])));
    trust::certificates(&sod.message);
    Some(())
}

pub(crate) fn dg3(bytes: &[u8]) -> Option<()> {
    let irises = BiometricGroup::parse(Biometric::Irises, bytes);
    let group = BiometricGroup::parse(Biometric::Fingerprints, bytes).or(irises).ok()?;
    for image in &group.images {
        black_box((image.position.code(), image.media_type.as_str(), image.bytes.len()));
    }
    Some(())
}

pub(crate) fn dg13(bytes: &[u8]) -> Option<()> {
    let dg13 = DataGroup13::parse(bytes).ok()?;
    let sources = RecordSources { dg13: Some(&dg13), ..RecordSources::default() };
    black_box(CitizenRecord::merge(sources, date!(2026 - 11 - 20)));
    Some(())
}

pub(crate) fn dg14(bytes: &[u8]) -> Option<()> {
    use_options(&DataGroup14::parse(bytes).ok()?.security_infos);
    Some(())
}

pub(crate) fn dg15(bytes: &[u8]) -> Option<()> {
    use_key(&DataGroup15::parse(bytes).ok()?.public_key);
    Some(())
}

fn use_options(options: &SecurityInfos) {
    black_box((options.offers_pace(), options.active_authentication_info()));
    black_box((options.pace_infos().count(), options.chip_authentication_infos().count()));
    // A chip that lists a thousand keys has each of them looked at once.
    for key in options.chip_authentication_keys() {
        use_key(&key.public_key);
    }
    // Comparing two lists is quadratic, within the size a file can have.
    black_box(options.iter().filter(|option| options.contains(option)).count());
}

fn use_key(key: &PublicKey) {
    let curve = signature::curve_of(key);
    black_box(curve.is_ok());
    black_box(RsaPublicKey::parse(&key.key).map(|rsa| rsa.bits()).ok());
}

/// A reading that brought these files and nothing else.
pub(crate) fn reading<'a>(files: impl IntoIterator<Item = (FileId, &'a [u8])>) -> Evidence {
    let read = |bytes: &[u8]| FileOutcome::Read(Zeroizing::new(bytes.to_vec()));
    let files: BTreeMap<_, _> = files.into_iter().map(|(file, bytes)| (file, read(bytes))).collect();
    let access = AccessRun {
        protocol: AccessProtocol::Bac,
        password: PasswordKind::Mrz,
        downgrade: None,
        card_access: None,
    };
    Evidence { access, files, proofs: ChipProofs::default() }
}
