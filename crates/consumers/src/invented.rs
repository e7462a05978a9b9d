//! A reading of a card that nobody has, for trying a profile without one.

use std::collections::BTreeMap;

use cccd_document::{
    AccessProtocol, AccessRun, ChipProofs, Evidence, FileId, FileOutcome, InsuranceRecord, PasswordKind,
    Portrait, QrPayload, QrRecord,
};
use cccd_trust::{Check, CheckName, CheckState, Reason, Summary, Verdict};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::Subject;

/// DG1 of the invented person: the three lines of the MRZ.
const DG1: &str = "615d5f1f5a4944564e4d303930313233343536323030303039303132333435363c3c3239303031303232\
                   4d33303031303230564e4d3c3c3c3c3c3c3c3c3c3c3c344e475559454e3c3c56414e3c4d41553c3c3c3c\
                   3c3c3c3c3c3c3c3c3c3c3c";
/// DG13 of the same.
const DG13: &str = "6d8201913082018d020101060628d3160100083182017e3011020101130c303030303930313233343536\
                    30180201020c134e677579e1bb856e2056c4836e204de1baab75300f020103130a30322f30312f313939\
                    3030080201040c034e616d300f0201050c0a5669e1bb8774204e616d30090201060c044b696e68300b02\
                    01070c064b68c3b46e67302b0201080c2658c3a3204de1baab752c20487579e1bb876e204de1baab752c\
                    2054e1bb896e68204de1baab7530350201090c3053e1bb9120312c20c490c6b0e1bb9d6e67204de1baab\
                    752c2058c3a3204de1baab752c2054e1bb896e68204de1baab75302a02010a0c254ee1bb9174207275e1\
                    bb936920433a31636d2064c6b0e1bb9b69206dc3a970207472c3a169300f02010b130a31352f30332f32\
                    303232300f02010c0c0a30322f30312f32303330302d02010d30130c114e677579e1bb856e2056c4836e\
                    2043686130130c115472e1baa76e205468e1bb8b204de1bab9300302010e300e02010f13093030303132\
                    333435363015020110131030303131323233333434353536364141";
/// The smallest picture there is: one grey point, as JPEG.
const FACE: &str = "ffd8ffdb0043000101010101010101010101010101010101010101010101010101010101010101010101\
                    0101010101010101010101010101010101010101010101010101010101ffc0000b080001000101011100\
                    ffc40014000001000000000000000000000000000000ffc4001410000100000000000000000000000000\
                    0000ffda0008010100003f000fffd9";
/// The code on the same card, and that of the health insurance card of the same person.
const CODE: &str =
    "000090123456|000123456|Nguyễn Văn Mẫu|02011990|Nam|Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu|15032022";
const INSURANCE: &str = "DN4000000000001|4E677579E1BB856E2056C4836E204DE1BAAB75|02/01/1990|1|53E1BB912031|\
                         00 - 001|01/01/2026|31/12/2026|01/01/2026|0000000000||0|01/01/2020";

/// A reading that never was, of a person who is not.
#[derive(Debug)]
pub struct InventedReading {
    evidence: Evidence,
    verdict: Verdict,
    portrait: Portrait,
    code: Option<QrRecord>,
    insurance: Option<InsuranceRecord>,
    finished: OffsetDateTime,
}

impl InventedReading {
    /// The reading, of a card of which this is to be thought.
    pub fn new(summary: Summary) -> Self {
        let access = AccessRun {
            protocol: AccessProtocol::Bac,
            password: PasswordKind::Mrz,
            downgrade: None,
            card_access: None,
        };
        let file = |digits: &str| FileOutcome::Read(hex::decode(digits).unwrap_or_default().into());
        let files = BTreeMap::from([(FileId::DG1, file(DG1)), (FileId::DG13, file(DG13))]);
        let code = QrPayload::parse(CODE.as_bytes());
        let insurance = QrPayload::parse(INSURANCE.as_bytes());
        Self {
            evidence: Evidence { access, files, proofs: ChipProofs::default() },
            verdict: verdict(summary),
            portrait: Portrait::new(&hex::decode(FACE).unwrap_or_default(), None),
            code: code.citizen().cloned(),
            insurance: insurance.insurance().cloned(),
            finished: datetime!(2026-11-20 08:00 UTC),
        }
    }

    /// What a profile is applied to.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            evidence: &self.evidence,
            verdict: &self.verdict,
            portrait: Some(&self.portrait),
            code: self.code.as_ref(),
            insurance: self.insurance.as_ref(),
            finished: self.finished,
            read_id: "00000000000000000000000000000000",
            reader_id: "invented-reader",
        }
    }
}

/// A verdict that comes to this.
fn verdict(summary: Summary) -> Verdict {
    let passed = [
        CheckName::SecurityObject,
        CheckName::GroupHashes,
        CheckName::Signature,
        CheckName::SignerCertificate,
        CheckName::Chain,
        CheckName::Validity,
        CheckName::Revocation,
        CheckName::IssuingState,
        CheckName::CardAccess,
        CheckName::ActiveAuthentication,
    ];
    let checks = passed.into_iter().map(|name| match (name, summary) {
        (CheckName::Chain, Summary::Unconfirmed) => {
            Check::new(name, CheckState::NotPossible(Reason::UnknownAnchor))
        }
        (CheckName::Signature, Summary::NotGenuine) => Check::failed(name, Reason::SignatureMismatch),
        _ => Check::passed(name),
    });
    Verdict::of(checks.collect())
}

#[cfg(test)]
mod tests {
    use cccd_document::{DataGroup1, DataGroup13};

    use super::*;

    #[test]
    fn everything_invented_can_be_read() {
        let reading = InventedReading::new(Summary::Genuine);
        let files = &reading.evidence;
        assert!(DataGroup1::parse(files.bytes(FileId::DG1).unwrap()).unwrap().mrz.findings.is_empty());
        assert!(DataGroup13::parse(files.bytes(FileId::DG13).unwrap()).unwrap().vietnamese().is_some());
        assert!(reading.code.is_some() && reading.insurance.is_some());
        assert!(reading.portrait.for_display().is_ok());
    }

    #[test]
    fn each_verdict_comes_to_what_it_is_asked_for() {
        for summary in [Summary::Genuine, Summary::NotGenuine, Summary::Unconfirmed] {
            assert_eq!(InventedReading::new(summary).verdict.summary(), summary);
        }
    }
}
