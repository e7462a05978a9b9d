//! What happens in the life of an authority and its signers, each story with what a verifier is given for it.

use openssl::error::ErrorStack;
use time::{Date, Duration};

use super::certificate::{Country, DistinguishedName, Period};
use super::crl::CrlPlan;
use super::csca::{Csca, CscaPlan, ExtraExtension};
use super::document_signer::{DocumentSigner, DocumentSignerPlan, SignerUsage};
use super::kind::SignerKind;

/// A story. Each is the same under any clock from June 2026 to 2035.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Story {
    /// Authority and signer as they should be, and no revocation list.
    Usual,
    /// The same with a current revocation list that is empty.
    EmptyCrl,
    /// The anchor is an old authority; the signer stands under the next, which the old one vouches for.
    Linked,
    /// The same with two links between the anchor and the signer's authority.
    LinkedTwice,
    /// Three authorities of one name, each with its own key; the signer stands under the second.
    SameNameOtherKeys,
    /// The signer's certificate has expired since it signed.
    SignerExpiredSince,
    /// The authority's certificate has expired since the signer signed.
    CscaExpiredSince,
    /// The only revocation list is overdue.
    StaleCrl,
    /// A stranger under the authority's name has issued a list that revokes the signer.
    StrangersCrl,
    /// The signer was revoked after it signed.
    SignerRevokedSince,
    /// The signer's certificate does not say what its key is for.
    SignerUsageUnsaid,
    /// The signer's certificate had expired when it signed.
    SignerExpired,
    /// The signer's certificate was not valid yet when it signed.
    SignerNotYetValid,
    /// The authority's certificate had expired when the signer signed.
    CscaExpired,
    /// The time for using the signer's key was over when it signed.
    KeyUsagePeriodOver,
    /// The signer's key is for enciphering keys.
    SignerUsageWrong,
    /// What signed is an authority, and no document signer.
    SignerIsAuthority,
    /// The signer is of another state than its authority.
    SignerOfAnotherState,
    /// Signer and authority agree, and are of another state than the document.
    CscaOfAnotherState,
    /// An authority below the authority has certified the signer, which its path length forbids.
    PathTooLong,
    /// The signer was revoked before it signed.
    SignerRevoked,
    /// The link to the signer's authority is revoked by the anchor.
    LinkRevoked,
    /// The signer's certificate has a critical extension that nobody knows.
    UnknownCriticalExtension,
}

/// How a story ends for a document signed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is genuine.
    Genuine,
    /// It was signed within the rules, and something has come in between: the verifier's rules decide, and name
    /// what they tolerate.
    ForTheRulesToDecide,
    /// Whoever signed was not entitled to. Never genuine.
    NotGenuine,
}

/// What a story is told about.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The state that issues the document.
    pub country: Country,
    /// The signer's key.
    pub signer: SignerKind,
    /// When the document is signed.
    pub signed_on: Date,
}

/// What comes out of a story.
#[derive(Debug, Clone)]
pub struct Told {
    /// Who signs.
    pub signer: DocumentSigner,
    /// What the verifier is given.
    pub trust: TrustMaterial,
}

/// What a verifier is given, all in DER.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustMaterial {
    /// Certificates it trusts.
    pub anchors: Vec<Vec<u8>>,
    /// Certificates it may use and need not trust: links, and signers that are not in the document.
    pub certificates: Vec<Vec<u8>>,
    /// Revocation lists.
    pub crls: Vec<Vec<u8>>,
}

impl Story {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Usual,
        Self::EmptyCrl,
        Self::Linked,
        Self::LinkedTwice,
        Self::SameNameOtherKeys,
        Self::SignerExpiredSince,
        Self::CscaExpiredSince,
        Self::StaleCrl,
        Self::StrangersCrl,
        Self::SignerRevokedSince,
        Self::SignerUsageUnsaid,
        Self::SignerExpired,
        Self::SignerNotYetValid,
        Self::CscaExpired,
        Self::KeyUsagePeriodOver,
        Self::SignerUsageWrong,
        Self::SignerIsAuthority,
        Self::SignerOfAnotherState,
        Self::CscaOfAnotherState,
        Self::PathTooLong,
        Self::SignerRevoked,
        Self::LinkRevoked,
        Self::UnknownCriticalExtension,
    ];

    /// How it ends.
    pub fn ending(self) -> Ending {
        match self {
            Self::Usual | Self::EmptyCrl | Self::Linked | Self::LinkedTwice | Self::SameNameOtherKeys => {
                Ending::Genuine
            }
            Self::SignerExpiredSince
            | Self::CscaExpiredSince
            | Self::StaleCrl
            | Self::StrangersCrl
            | Self::SignerRevokedSince
            | Self::SignerUsageUnsaid => Ending::ForTheRulesToDecide,
            Self::SignerExpired
            | Self::SignerNotYetValid
            | Self::CscaExpired
            | Self::KeyUsagePeriodOver
            | Self::SignerUsageWrong
            | Self::SignerIsAuthority
            | Self::SignerOfAnotherState
            | Self::CscaOfAnotherState
            | Self::PathTooLong
            | Self::SignerRevoked
            | Self::LinkRevoked
            | Self::UnknownCriticalExtension => Ending::NotGenuine,
        }
    }

    /// What happens, in one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Usual => "authority and signer are as they should be",
            Self::EmptyCrl => "a current revocation list revokes nothing",
            Self::Linked => "a link certificate leads from the trusted authority to the signer's",
            Self::LinkedTwice => "two link certificates lead from the trusted authority to the signer's",
            Self::SameNameOtherKeys => "three trusted authorities of one name have each their own key",
            Self::SignerExpiredSince => "the signer's certificate has expired since it signed",
            Self::CscaExpiredSince => "the authority's certificate has expired since the signer signed",
            Self::StaleCrl => "the only revocation list is overdue",
            Self::StrangersCrl => "a stranger's list under the authority's name revokes the signer",
            Self::SignerRevokedSince => "the signer was revoked after it signed",
            Self::SignerUsageUnsaid => "the signer's certificate does not say what its key is for",
            Self::SignerExpired => "the signer's certificate had expired when it signed",
            Self::SignerNotYetValid => "the signer's certificate was not valid yet when it signed",
            Self::CscaExpired => "the authority's certificate had expired when the signer signed",
            Self::KeyUsagePeriodOver => "the signer's key was past its time when it signed",
            Self::SignerUsageWrong => "the signer's key is for enciphering keys",
            Self::SignerIsAuthority => "an authority's key signed the document",
            Self::SignerOfAnotherState => "the signer is of another state than its authority",
            Self::CscaOfAnotherState => "signer and authority are of another state than the document",
            Self::PathTooLong => "an authority below the authority certified the signer",
            Self::SignerRevoked => "the signer was revoked before it signed",
            Self::LinkRevoked => "the link to the signer's authority is revoked",
            Self::UnknownCriticalExtension => {
                "the signer's certificate has a critical extension nobody knows"
            }
        }
    }

    /// Tells it: makes the authorities, the signer and the lists.
    pub fn tell(self, setting: Setting) -> Result<Told, ErrorStack> {
        let Setting { country, signed_on, .. } = setting;
        let csca = Csca::new(self.authority(setting))?;
        let mut trust =
            TrustMaterial { anchors: vec![csca.certificate().der().to_vec()], ..TrustMaterial::default() };

        let mut links = Vec::new();
        let under = match self {
            Self::Linked | Self::LinkRevoked => {
                let (next, link) = csca.roll_over(CscaPlan::usual(country))?;
                links.push(link);
                next
            }
            Self::LinkedTwice => {
                let (next, first) = csca.roll_over(CscaPlan::usual(country))?;
                let (last, second) = next.roll_over(CscaPlan::usual(country))?;
                links.extend([first, second]);
                last
            }
            Self::SameNameOtherKeys => {
                let (second, third) =
                    (Csca::new(CscaPlan::usual(country))?, Csca::new(CscaPlan::usual(country))?);
                trust.anchors.extend([&second, &third].map(|csca| csca.certificate().der().to_vec()));
                second
            }
            Self::PathTooLong => {
                let name = DistinguishedName::simulated(country, "Simulated Sub-Authority");
                let below = csca.sub_authority(CscaPlan { name, ..CscaPlan::usual(country) })?;
                links.push(below.certificate().clone());
                below
            }
            _ => csca.clone(),
        };
        let signer = under.document_signer(self.signer(setting))?;

        let revoking = |certificate| CrlPlan::empty().revoking(certificate, days_after(signed_on, -60));
        let crl = match self {
            Self::EmptyCrl => Some(csca.crl(&CrlPlan::empty())?),
            Self::StaleCrl => Some(csca.crl(&CrlPlan::empty().stale())?),
            Self::StrangersCrl => {
                Some(Csca::new(CscaPlan::usual(country))?.crl(&revoking(signer.certificate()))?)
            }
            Self::SignerRevoked => Some(csca.crl(&revoking(signer.certificate()))?),
            Self::SignerRevokedSince => {
                let plan = CrlPlan::empty().revoking(signer.certificate(), days_after(signed_on, 60));
                Some(csca.crl(&plan)?)
            }
            Self::LinkRevoked => links.first().map(|link| csca.crl(&revoking(link))).transpose()?,
            _ => None,
        };
        trust.crls.extend(crl);
        trust.certificates.extend(links.iter().map(|link| link.der().to_vec()));
        Ok(Told { signer, trust })
    }

    /// The trusted authority of the story.
    fn authority(self, setting: Setting) -> CscaPlan {
        let signed_on = setting.signed_on;
        let usual = CscaPlan::usual(setting.country);
        let began = days_after(signed_on, -1500);
        match self {
            Self::CscaOfAnotherState => CscaPlan::usual(other_than(setting.country)),
            Self::CscaExpired => {
                CscaPlan { validity: Period { from: began, to: days_after(signed_on, -30) }, ..usual }
            }
            Self::CscaExpiredSince => {
                CscaPlan { validity: Period { from: began, to: days_after(signed_on, 30) }, ..usual }
            }
            _ => usual,
        }
    }

    /// The signer of the story.
    fn signer(self, setting: Setting) -> DocumentSignerPlan {
        let Setting { country, signed_on, .. } = setting;
        let usual = DocumentSignerPlan::usual(country, setting.signer);
        let period = |from, to| Period { from: days_after(signed_on, from), to: days_after(signed_on, to) };
        let lasting = |validity| DocumentSignerPlan { validity, key_usage_period: None, ..usual.clone() };
        match self {
            Self::SignerExpiredSince => lasting(period(-300, 30)),
            Self::SignerExpired => lasting(period(-300, -30)),
            Self::SignerNotYetValid => lasting(Period { from: days_after(signed_on, 30), ..usual.validity }),
            Self::KeyUsagePeriodOver => {
                DocumentSignerPlan { key_usage_period: Some(period(-300, -30)), ..usual }
            }
            Self::SignerUsageUnsaid => DocumentSignerPlan { usage: SignerUsage::Unsaid, ..usual },
            Self::SignerUsageWrong => DocumentSignerPlan { usage: SignerUsage::KeyEncipherment, ..usual },
            Self::SignerIsAuthority => DocumentSignerPlan { usage: SignerUsage::Certificates, ..usual },
            Self::SignerOfAnotherState | Self::CscaOfAnotherState => DocumentSignerPlan {
                document_types: usual.document_types,
                ..DocumentSignerPlan::usual(other_than(country), setting.signer)
            },
            Self::UnknownCriticalExtension => {
                DocumentSignerPlan { extra: ExtraExtension::UnknownCritical, ..usual }
            }
            _ => usual,
        }
    }
}

fn other_than(country: Country) -> Country {
    if country == Country::UTOPIA { Country::VIETNAM } else { Country::UTOPIA }
}

/// So many days after a day, or before it.
fn days_after(day: Date, days: i64) -> Date {
    day.saturating_add(Duration::days(days))
}

#[cfg(test)]
mod tests {
    use openssl::error::ErrorStack;
    use openssl::stack::Stack;
    use openssl::x509::store::X509StoreBuilder;
    use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
    use openssl::x509::{X509, X509Crl, X509StoreContext};
    use time::macros::date;

    use super::*;

    const SETTING: Setting = Setting {
        country: Country::VIETNAM,
        signer: SignerKind::ECDSA_P256,
        signed_on: date!(2022 - 03 - 15),
    };

    /// What OpenSSL makes of the chain at a moment: 0, or the number of its objection.
    fn judged(told: &Told, at: Date) -> i32 {
        let certificate = |der: &Vec<u8>| X509::from_der(der).unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        for anchor in &told.trust.anchors {
            store.add_cert(certificate(anchor)).unwrap();
        }
        let mut parameters = X509VerifyParam::new().unwrap();
        parameters.set_time(at.midnight().assume_utc().unix_timestamp());
        store.set_param(&parameters).unwrap();
        // The anchor is trusted even where it is no root.
        store.set_flags(X509VerifyFlags::PARTIAL_CHAIN).unwrap();
        let mut untrusted = Stack::new().unwrap();
        for link in &told.trust.certificates {
            untrusted.push(certificate(link)).unwrap();
        }
        let signer = X509::from_der(told.signer.certificate().der()).unwrap();
        let (store, mut context) = (store.build(), X509StoreContext::new().unwrap());
        let verdict = context.init(&store, &signer, &untrusted, |context| {
            context.verify_cert()?;
            Ok::<_, ErrorStack>(context.error().as_raw())
        });
        verdict.unwrap()
    }

    fn told(story: Story) -> Told {
        story.tell(SETTING).unwrap()
    }

    #[test]
    fn openssl_follows_the_chain_of_every_story_that_ends_well() {
        for story in Story::ALL.into_iter().filter(|story| story.ending() == Ending::Genuine) {
            for day in [SETTING.signed_on, date!(2026 - 06 - 01), date!(2035 - 12 - 31)] {
                assert_eq!(judged(&told(story), day), 0, "{story:?}");
            }
        }
    }

    #[test]
    fn openssl_objects_to_what_it_can_see() {
        let (then, now) = (SETTING.signed_on, date!(2026 - 06 - 01));
        // X509_V_ERR: not yet valid 9, expired 10, path length 25, unhandled critical extension 34.
        for (story, day, objection) in [
            (Story::SignerExpiredSince, then, 0),
            (Story::SignerExpiredSince, now, 10),
            (Story::CscaExpiredSince, then, 0),
            (Story::CscaExpiredSince, now, 10),
            (Story::SignerExpired, then, 10),
            (Story::CscaExpired, then, 10),
            (Story::SignerNotYetValid, then, 9),
            (Story::SignerNotYetValid, now, 0),
            (Story::PathTooLong, now, 25),
            (Story::UnknownCriticalExtension, now, 34),
        ] {
            assert_eq!(judged(&told(story), day), objection, "{story:?} on {day}");
        }
    }

    #[test]
    fn without_its_links_a_chain_leads_nowhere() {
        for story in [Story::Linked, Story::LinkedTwice, Story::LinkRevoked] {
            let mut told = told(story);
            told.trust.certificates.pop();
            // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY.
            assert_eq!(judged(&told, date!(2026 - 06 - 01)), 20, "{story:?}");
        }
    }

    #[test]
    fn a_list_revokes_whom_the_story_says_and_is_signed_by_whom_it_says() {
        for (story, revokes, by_the_anchor) in [
            (Story::EmptyCrl, None, true),
            (Story::StaleCrl, None, true),
            (Story::SignerRevoked, Some(date!(2022 - 01 - 14)), true),
            (Story::SignerRevokedSince, Some(date!(2022 - 05 - 14)), true),
            (Story::LinkRevoked, Some(date!(2022 - 01 - 14)), true),
            (Story::StrangersCrl, Some(date!(2022 - 01 - 14)), false),
        ] {
            let told = told(story);
            let crl = X509Crl::from_der(&told.trust.crls[0]).unwrap();
            let anchor = X509::from_der(&told.trust.anchors[0]).unwrap();
            assert_eq!(crl.verify(&anchor.public_key().unwrap()).unwrap(), by_the_anchor, "{story:?}");
            assert_eq!(crl.issuer_name().to_der().unwrap(), anchor.subject_name().to_der().unwrap());
            let revoked = match story {
                Story::LinkRevoked => told.trust.certificates[0].clone(),
                _ => told.signer.certificate().der().to_vec(),
            };
            let revoked = X509::from_der(&revoked).unwrap();
            let entries: Vec<_> = crl.get_revoked().into_iter().flatten().collect();
            assert_eq!(entries.len(), usize::from(revokes.is_some()), "{story:?}");
            if let (Some(entry), Some(since)) = (entries.first(), revokes) {
                let number = |number: &openssl::asn1::Asn1IntegerRef| number.to_bn().unwrap().to_vec();
                assert_eq!(number(entry.serial_number()), number(revoked.serial_number()));
                let midnight = since.midnight().assume_utc().unix_timestamp();
                let midnight = openssl::asn1::Asn1Time::from_unix(midnight).unwrap();
                assert!(entry.revocation_date() == midnight, "{story:?}");
            }
        }
    }

    #[test]
    fn what_openssl_does_not_look_at_is_written_as_the_story_says() {
        let text = |story| {
            let told = told(story);
            let certificate = X509::from_der(told.signer.certificate().der()).unwrap();
            String::from_utf8(certificate.to_text().unwrap()).unwrap().replace([' ', '\n'], "")
        };
        assert!(text(Story::KeyUsagePeriodOver).contains("NotAfter:Feb1323:59:592022GMT"));
        assert!(text(Story::SignerUsageWrong).contains("KeyUsage:criticalKeyEncipherment"));
        assert!(!text(Story::SignerUsageUnsaid).contains("KeyUsage:"));
        assert!(text(Story::SignerIsAuthority).contains("CA:TRUE"));
        let abroad = text(Story::SignerOfAnotherState);
        assert!(abroad.contains("Issuer:C=VN,") && abroad.contains("Subject:C=UT,"));
        assert!(abroad.contains("L=UTO") && abroad.contains("L=VNM"));
        let abroad = text(Story::CscaOfAnotherState);
        assert!(abroad.contains("Issuer:C=UT,") && abroad.contains("Subject:C=UT,"));
    }

    #[test]
    fn stories_are_told_apart_by_their_sentences() {
        let sentences: std::collections::BTreeSet<_> = Story::ALL.map(Story::sentence).into();
        assert_eq!(sentences.len(), Story::ALL.len());
    }
}
