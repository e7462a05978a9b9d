//! Lies about what was signed and who signed it.

use crate::der::{constructed, tlv};
use crate::image::{ReadRule, StoredFile};
use crate::personalise::{Bearer, CardDescription, personalise_signed_by, shipped, signing_day};
use crate::pki::{
    Csca, CscaPlan, DocumentSigner, DocumentSignerPlan, EmbeddedCertificates, Setting, SigningKey, Story,
    TrustMaterial,
};

use super::{AlteredGroup, Lie, TellError, ToldLie};

const EF_COM: u16 = 0x011E;
const EF_SOD: u16 = 0x011D;
const DG11: u16 = 0x010B;

impl AlteredGroup {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Mrz, Self::Portrait, Self::Record, Self::SecurityInfos, Self::ActiveAuthenticationKey];

    /// The number of the group.
    pub fn number(self) -> u8 {
        match self {
            Self::Mrz => 1,
            Self::Portrait => 2,
            Self::Record => 13,
            Self::SecurityInfos => 14,
            Self::ActiveAuthenticationKey => 15,
        }
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Mrz => "the sex in DG1 was altered after it was signed for",
            Self::Portrait => "the picture in DG2 was altered after it was signed for",
            Self::Record => "the year of birth in DG13 was altered after it was signed for",
            Self::SecurityInfos => "DG14 was altered after it was signed for",
            Self::ActiveAuthenticationKey => "the key in DG15 was altered after it was signed for",
        }
    }

    fn file(self) -> u16 {
        0x0100 | u16::from(self.number())
    }

    /// Which byte, and what it becomes.
    fn change(self, card: &CardDescription, content: &[u8]) -> Option<(usize, u8)> {
        let flipped = |at: usize| Some((at, content.get(at)? ^ 1));
        match self {
            Self::Mrz => {
                // The text begins behind 61 xx 5F1F xx; the sex stands in line 2, at 8 of a TD1 and at 21 of a
                // TD3 (ICAO 9303-5, 4.2.2; 9303-4, 4.2.2).
                let at = match card.bearer() {
                    Bearer::Citizen(..) => 5 + 30 + 7,
                    Bearer::Traveller(_) => 5 + 44 + 20,
                };
                Some((at, if content.get(at) == Some(&b'M') { b'F' } else { b'M' }))
            }
            Self::Portrait => flipped(content.len() / 2),
            Self::Record => {
                let year = card.citizen().map(|citizen| citizen.birth.to_string())?;
                let start = content.windows(year.len()).position(|window| window == year.as_bytes())?;
                flipped(start + year.len() - 1)
            }
            Self::SecurityInfos | Self::ActiveAuthenticationKey => flipped(content.len().checked_sub(1)?),
        }
    }
}

pub(super) fn suits(lie: Lie, card: &CardDescription) -> bool {
    match lie {
        Lie::GroupAltered(AlteredGroup::Record) => card.citizen().is_some(),
        Lie::GroupAltered(AlteredGroup::SecurityInfos) => !card.chip().chip_authentication.is_empty(),
        Lie::GroupAltered(AlteredGroup::ActiveAuthenticationKey) => {
            card.chip().active_authentication.is_some()
        }
        _ => true,
    }
}

/// The card as it comes out of a story.
pub(super) fn tell_story(story: Story, card: &CardDescription) -> Result<ToldLie, TellError> {
    let setting = Setting {
        country: card.issuing_state().country(),
        signer: card.security_object().signer,
        signed_on: signing_day(card),
    };
    let mut told = story.tell(setting)?;
    told.trust.certificates.extend(given_apart(card, &told.signer));
    signed_by(card, &told.signer, told.trust)
}

/// A card of the true state, altered.
pub(super) fn tell(lie: Lie, card: &CardDescription) -> Result<ToldLie, TellError> {
    let country = card.issuing_state().country();
    let plan = DocumentSignerPlan::usual(country, card.security_object().signer);
    let csca = Csca::new(CscaPlan::usual(country))?;
    let trust =
        TrustMaterial { anchors: vec![csca.certificate().der().to_vec()], ..TrustMaterial::default() };
    match lie {
        Lie::SignedByStranger => {
            let stranger = Csca::new(CscaPlan::usual(country))?.document_signer(plan)?;
            return signed_by(card, &stranger, trust);
        }
        Lie::SignedByImpostor => return signed_by(card, &csca.impostor()?.document_signer(plan)?, trust),
        Lie::SignedByNobody => return signed_by(card, &DocumentSigner::self_signed(plan)?, trust),
        Lie::SignedWithAnotherKey => {
            let signer = csca.document_signer(plan)?.with_another_key()?;
            return signed_by(card, &signer, trust);
        }
        Lie::SignatureForged(forgery) => {
            let key = SigningKey::forging(forgery)?;
            let plan = DocumentSignerPlan { signer: key.kind(), ..plan };
            return signed_by(card, &csca.document_signer_with_key(plan, key)?, trust);
        }
        _ => {}
    }
    let signer = csca.document_signer(plan)?;
    let mut told = signed_by(card, &signer, trust)?;
    told.trust.certificates.extend(given_apart(card, &signer));
    let files = &mut told.image.emrtd;
    match lie {
        Lie::GroupAltered(group) => {
            let content = &mut files.get_mut(&group.file()).ok_or(TellError::DoesNotSuit)?.content;
            let (at, byte) = group.change(card, content).ok_or(TellError::DoesNotSuit)?;
            *content.get_mut(at).ok_or(TellError::DoesNotSuit)? = byte;
        }
        Lie::GroupAdded => {
            let rule = ReadRule::AfterAccessControl;
            files.insert(DG11, StoredFile { content: data_group_11(), rule });
            let list = files.get_mut(&EF_COM).ok_or(TellError::DoesNotSuit)?;
            list.content = listing_dg11(&list.content).ok_or(TellError::DoesNotSuit)?;
        }
        Lie::SecurityObjectOfAnotherCard => {
            let differs = |other: &CardDescription| other.mrz_lines() != card.mrz_lines();
            let mut others = shipped().into_iter().filter_map(|card| card.description().ok());
            let other = others.find(differs).ok_or(TellError::DoesNotSuit)?;
            let other = other.with_security_object(card.security_object());
            let mut other = personalise_signed_by(&other, &signer)?;
            files.insert(EF_SOD, other.emrtd.remove(&EF_SOD).ok_or(TellError::DoesNotSuit)?);
        }
        // All told above.
        Lie::SignedByStranger
        | Lie::SignedByImpostor
        | Lie::SignedByNobody
        | Lie::SignedWithAnotherKey
        | Lie::SignatureForged(_)
        | Lie::Signer(_)
        | Lie::Chip(_) => return Err(TellError::DoesNotSuit),
    }
    Ok(told)
}

/// The certificate of the true signer, where it is not in EF.SOD.
fn given_apart(card: &CardDescription, signer: &DocumentSigner) -> Option<Vec<u8>> {
    let absent = card.security_object().form.certificates == EmbeddedCertificates::None;
    absent.then(|| signer.certificate().der().to_vec())
}

fn signed_by(
    card: &CardDescription,
    signer: &DocumentSigner,
    trust: TrustMaterial,
) -> Result<ToldLie, TellError> {
    Ok(ToldLie { image: personalise_signed_by(card, signer)?, trust })
}

/// Additional personal details: a full name, and the list that says so (ICAO 9303-10, 4.7.11).
fn data_group_11() -> Vec<u8> {
    constructed(0x6B, &[tlv(0x5C, &[0x5F, 0x0E]), tlv(0x5F0E, b"NOBODY<<SIGNED<THIS")])
}

/// EF.COM with DG11 in its list, which is the last object in it.
fn listing_dg11(file: &[u8]) -> Option<Vec<u8>> {
    let ends_here = |at: &usize| {
        file.get(*at) == Some(&0x5C)
            && file.get(at + 1).is_some_and(|&length| at + 2 + usize::from(length) == file.len())
    };
    let at = (2..file.len()).find(ends_here)?;
    let (before, list) = (file.get(2..at)?, file.get(at + 2..)?);
    Some(constructed(0x60, &[before.to_vec(), tlv(0x5C, &[list, &[0x6B]].concat())]))
}

#[cfg(test)]
mod tests {
    use openssl::cms::{CMSOptions, CmsContentInfo};
    use openssl::hash::{MessageDigest, hash};
    use openssl::stack::Stack;
    use openssl::x509::X509;
    use openssl::x509::store::X509StoreBuilder;

    use super::super::honest;
    use super::*;
    use crate::personalise::shipped_card;
    use crate::pki::Forgery;

    fn card(name: &str) -> CardDescription {
        shipped_card(name).unwrap().description().unwrap()
    }

    /// Whether OpenSSL finds the signature of EF.SOD good with the certificate inside, and whether it leads to
    /// the anchors, and the groups whose hashes are not in it.
    fn judged(told: &ToldLie) -> (bool, bool, Vec<u16>) {
        let mut store = X509StoreBuilder::new().unwrap();
        for anchor in &told.trust.anchors {
            store.add_cert(X509::from_der(anchor).unwrap()).unwrap();
        }
        let store = store.build();
        let file = &told.image.emrtd[&EF_SOD].content;
        let mut content = Vec::new();
        let mut verify = |options| {
            let mut cms = CmsContentInfo::from_der(&file[4..]).unwrap();
            let options = options | CMSOptions::BINARY;
            content.clear();
            cms.verify(Some(&Stack::new().unwrap()), Some(&store), None, Some(&mut content), options).is_ok()
        };
        let chain = verify(CMSOptions::empty());
        let signature = verify(CMSOptions::NO_SIGNER_CERT_VERIFY);
        let is_listed = |group: &[u8]| {
            let hash = hash(MessageDigest::sha256(), group).unwrap();
            content.windows(hash.len()).any(|window| window == &*hash)
        };
        let groups = told.image.emrtd.iter().filter(|(id, _)| **id <= 0x0110);
        let unsigned = groups.filter(|(_, file)| !is_listed(&file.content)).map(|(id, _)| *id).collect();
        (signature, chain, unsigned)
    }

    #[test]
    fn without_a_lie_all_is_well() {
        for name in ["cccd-2021", "passport-td3"] {
            assert_eq!(judged(&honest(&card(name)).unwrap()), (true, true, vec![]), "{name}");
        }
    }

    #[test]
    fn an_altered_group_is_the_only_thing_wrong() {
        for name in ["cccd-2021", "passport-td3"] {
            let card = card(name);
            for group in AlteredGroup::ALL {
                let lie = Lie::GroupAltered(group);
                match lie.tell(&card) {
                    Ok(told) => assert_eq!(judged(&told), (true, true, vec![group.file()]), "{name} {lie}"),
                    Err(error) => {
                        assert!(matches!(error, TellError::DoesNotSuit));
                        assert!(!lie.suits(&card), "{name} {lie}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_sex_changes_where_the_mrz_has_it_and_the_year_where_the_record_has_it() {
        for (name, at) in [("cccd-2021", 5 + 37), ("passport-td3", 5 + 64)] {
            let card = card(name);
            let told = Lie::GroupAltered(AlteredGroup::Mrz).tell(&card).unwrap();
            let text = card.mrz_lines().concat();
            let group = &told.image.emrtd[&0x0101].content;
            assert_eq!(group.len(), 5 + text.len());
            for (index, byte) in text.bytes().enumerate() {
                assert_eq!(group[5 + index] != byte, 5 + index == at, "{name} {index}");
            }
            assert!(
                matches!((text.as_bytes()[at - 5], group[at]), (b'M', b'F') | (b'F' | b'<', b'M')),
                "{name}"
            );
        }
        let told = Lie::GroupAltered(AlteredGroup::Record).tell(&card("cccd-2021")).unwrap();
        let record = &told.image.emrtd[&0x010D].content;
        assert!(record.windows(10).any(|window| window == b"02/01/1991"));
    }

    #[test]
    fn a_group_nobody_signed_for_is_listed_in_ef_com() {
        let told = Lie::GroupAdded.tell(&card("cccd-2021")).unwrap();
        assert_eq!(judged(&told), (true, true, vec![DG11]));
        let list = &told.image.emrtd[&EF_COM].content;
        assert!(list.ends_with(&[0x5C, 0x07, 0x61, 0x75, 0x63, 0x6D, 0x6E, 0x6F, 0x6B]));
        assert_eq!(usize::from(list[1]), list.len() - 2);
    }

    #[test]
    fn a_signer_that_is_not_in_the_security_object_is_given_apart() {
        let card = card("cccd-2021");
        let mut plan = card.security_object();
        plan.form.certificates = EmbeddedCertificates::None;
        let told = honest(&card.with_security_object(plan)).unwrap();
        assert_eq!(told.trust.certificates.len(), 1);
        let signer = X509::from_der(&told.trust.certificates[0]).unwrap();
        let csca = X509::from_der(&told.trust.anchors[0]).unwrap();
        assert!(signer.verify(&csca.public_key().unwrap()).unwrap());
    }

    #[test]
    fn strangers_sign_well_and_lead_elsewhere() {
        let card = card("cccd-2021");
        for lie in [Lie::SignedByStranger, Lie::SignedByImpostor, Lie::SignedByNobody] {
            let told = lie.tell(&card).unwrap();
            assert_eq!(judged(&told), (true, false, vec![]), "{lie}");
        }
        for lie in [
            Lie::SignedWithAnotherKey,
            Lie::SignatureForged(Forgery::CubeRoot),
            Lie::SignatureForged(Forgery::Zeros),
        ] {
            let (signature, chain, unsigned) = judged(&lie.tell(&card).unwrap());
            assert!(!signature && !chain && !unsigned.is_empty(), "{lie}");
        }
        let told = Lie::SecurityObjectOfAnotherCard.tell(&card).unwrap();
        let (signature, chain, unsigned) = judged(&told);
        assert!(signature && chain && unsigned.contains(&0x0101) && unsigned.contains(&0x010D));
    }

    #[test]
    fn an_impostor_is_told_from_the_true_authority_by_nothing_but_its_key() {
        let country = card("cccd-2021").issuing_state().country();
        let csca = Csca::new(CscaPlan::usual(country)).unwrap();
        let copy = csca.impostor().unwrap();
        let certificate = |csca: &Csca| X509::from_der(csca.certificate().der()).unwrap();
        let (own, copied) = (certificate(&csca), certificate(&copy));
        let identifier = |csca: &X509| csca.subject_key_id().unwrap().as_slice().to_vec();
        assert_eq!(identifier(&own), identifier(&copied));
        assert!(!own.public_key().unwrap().public_eq(&copied.public_key().unwrap()));
        assert!(copied.verify(&copied.public_key().unwrap()).unwrap());
    }

    #[test]
    fn every_lie_that_suits_is_told() {
        for name in ["cccd-2021", "passport-td3"] {
            let card = card(name);
            for lie in Lie::all() {
                assert_eq!(lie.tell(&card).is_ok(), lie.suits(&card), "{name} {lie}");
            }
        }
    }
}
