//! Lies of the chip itself: the data are what the state signed, and the chip is not the one they were signed for,
//! or says in the open what the signed data do not.

use crate::image::{
    ActiveAuthenticationKey, AfterChipAuthentication, NamedCurve, PaceCipher, PaceMapping, PaceOffer,
    ReadRule, StoredFile,
};
use crate::personalise::{CardDescription, card_access_file};
use crate::pki::Story;

use super::signed::tell_story;
use super::{ChipLie, TellError, ToldLie};

const EF_CARD_ACCESS: u16 = 0x011C;

impl ChipLie {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::OtherActiveKey,
        Self::NoActiveKey,
        Self::OtherAgreementKey,
        Self::NoAgreementKey,
        Self::OtherMappingKey,
        Self::MuteAfterChipAuthentication,
        Self::VariantAdded,
        Self::PaceHidden,
    ];

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::OtherActiveKey => {
                "the data were copied to a chip with another key of active authentication"
            }
            Self::NoActiveKey => "the data were copied to a chip without the key of active authentication",
            Self::OtherAgreementKey => {
                "the data were copied to a chip with other keys of chip authentication"
            }
            Self::NoAgreementKey => "the data were copied to a chip without the keys of chip authentication",
            Self::OtherMappingKey => "the data were copied to a chip that maps with another static key",
            Self::MuteAfterChipAuthentication => "the chip falls silent once chip authentication has run",
            Self::VariantAdded => "EF.CardAccess offers a variant of PACE that DG14 knows nothing of",
            Self::PaceHidden => "EF.CardAccess is gone, and the chip runs BAC although DG14 tells of PACE",
        }
    }

    pub(super) fn suits(self, card: &CardDescription) -> bool {
        let maps = |offer: &PaceOffer| offer.mapping == PaceMapping::ChipAuthentication;
        match self {
            Self::OtherActiveKey | Self::NoActiveKey => card.chip().active_authentication.is_some(),
            Self::OtherAgreementKey | Self::NoAgreementKey | Self::MuteAfterChipAuthentication => {
                !card.chip().chip_authentication.is_empty()
            }
            Self::OtherMappingKey => card.pace().iter().any(maps),
            Self::VariantAdded | Self::PaceHidden => !card.pace().is_empty(),
        }
    }
}

pub(super) fn tell(lie: ChipLie, card: &CardDescription) -> Result<ToldLie, TellError> {
    let mut told = tell_story(Story::Usual, card)?;
    let image = &mut told.image;
    // Another chip of the same make: same kinds of keys, and none of them the same.
    let another = || Ok::<_, TellError>(tell_story(Story::Usual, card)?.image.proofs);
    match lie {
        ChipLie::OtherActiveKey => {
            image.proofs.active_authentication = another()?.active_authentication;
        }
        ChipLie::NoActiveKey => {
            let offer = image.proofs.active_authentication.as_mut().ok_or(TellError::DoesNotSuit)?;
            offer.key = ActiveAuthenticationKey::Missing;
        }
        ChipLie::OtherAgreementKey => image.proofs.chip_authentication = another()?.chip_authentication,
        ChipLie::NoAgreementKey => image.proofs.chip_authentication.clear(),
        ChipLie::OtherMappingKey => image.proofs.mapping_keys = another()?.mapping_keys,
        ChipLie::MuteAfterChipAuthentication => {
            image.proofs.after_chip_authentication = AfterChipAuthentication::Mute;
        }
        ChipLie::VariantAdded => {
            let unknown = |offer: &PaceOffer| !card.pace().contains(offer);
            let added = [
                PaceOffer::ecdh_generic(PaceCipher::Aes256, NamedCurve::NistP521),
                PaceOffer::ecdh_generic(PaceCipher::Aes256, NamedCurve::BrainpoolP384r1),
            ];
            let added = added.into_iter().find(unknown).ok_or(TellError::DoesNotSuit)?;
            let pace = [card.pace(), &[added]].concat();
            let content = card_access_file(&card.clone().with_access(image.access.bac, pace.clone()));
            let content = content.ok_or(TellError::DoesNotSuit)?;
            image.master_file.insert(EF_CARD_ACCESS, StoredFile { content, rule: ReadRule::Free });
            image.access.pace = pace;
        }
        ChipLie::PaceHidden => {
            image.master_file.remove(&EF_CARD_ACCESS);
            image.access.pace.clear();
            image.access.can = None;
            image.access.bac = true;
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::super::{Lie, honest};
    use super::*;
    use crate::image::{ActiveAuthenticationOffer, ChipImage};
    use crate::personalise::shipped_card;

    fn card(name: &str) -> CardDescription {
        shipped_card(name).unwrap().description().unwrap()
    }

    fn told(lie: ChipLie, name: &str) -> ChipImage {
        Lie::Chip(lie).tell(&card(name)).unwrap().image
    }

    /// The point of the chip's key of active authentication, as DG15 would have it.
    fn active_point(offer: &ActiveAuthenticationOffer) -> Vec<u8> {
        let ActiveAuthenticationKey::Ecdsa(key, _) = &offer.key else { panic!("no key of ECDSA") };
        let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
        let mut context = openssl::bn::BigNumContext::new().unwrap();
        key.public_key().to_bytes(key.group(), form, &mut context).unwrap()
    }

    #[test]
    fn a_copy_has_the_public_half_of_a_key_it_has_not() {
        let holds = |image: &ChipImage| {
            let point = active_point(image.proofs.active_authentication.as_ref().unwrap());
            image.emrtd[&0x010F].content.windows(point.len()).any(|window| window == point)
        };
        assert!(holds(&honest(&card("cccd-2021")).unwrap().image));
        assert!(!holds(&told(ChipLie::OtherActiveKey, "cccd-2021")));
        let without = told(ChipLie::NoActiveKey, "cccd-2021");
        let offer = without.proofs.active_authentication.unwrap();
        assert!(matches!(offer.key, ActiveAuthenticationKey::Missing));
        assert!(told(ChipLie::NoAgreementKey, "cccd-2021").proofs.chip_authentication.is_empty());
    }

    #[test]
    fn a_variant_is_added_in_the_open_and_not_under_the_signature() {
        let image = told(ChipLie::VariantAdded, "cccd-2021");
        // PACEInfo of id-PACE-ECDH-GM-AES-CBC-CMAC-256 on P-521.
        let info = hex::decode("3012060A04007F00070202040204020102020112").unwrap();
        let holds = |file: &StoredFile| file.content.windows(info.len()).any(|window| window == info);
        assert!(holds(&image.master_file[&EF_CARD_ACCESS]));
        assert!(!holds(&image.emrtd[&0x010E]));
        assert_eq!(image.access.pace.len(), 2, "the chip runs it too");
    }

    #[test]
    fn hidden_pace_leaves_bac_and_what_dg14_says() {
        for name in ["cccd-2021", "can-cuoc-2024"] {
            let image = told(ChipLie::PaceHidden, name);
            assert!(image.access.bac && image.access.pace.is_empty(), "{name}");
            assert!(!image.master_file.contains_key(&EF_CARD_ACCESS));
            // id-PACE, in DG14.
            let pace = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04];
            assert!(image.emrtd[&0x010E].content.windows(8).any(|window| window == pace));
        }
    }

    #[test]
    fn every_lie_that_suits_is_told_and_no_other() {
        for name in ["cccd-2021", "passport-td3", "passport-chip-mapping"] {
            let card = card(name);
            for lie in ChipLie::ALL.map(Lie::Chip) {
                assert_eq!(lie.tell(&card).is_ok(), lie.suits(&card), "{name} {lie}");
            }
        }
        assert!(Lie::Chip(ChipLie::OtherMappingKey).suits(&card("passport-chip-mapping")));
        assert!(!Lie::Chip(ChipLie::PaceHidden).suits(&card("passport-td3")));
    }
}
