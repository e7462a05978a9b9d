//! What a chip answers when it shall prove itself, and the certificates a terminal shows it.

use std::hint::black_box;

use cccd_document::{
    AccessProtocol, ActiveAuthenticationRun, ChipAuthenticationMappingRun, ChipAuthenticationRun, ChipProofs,
    Cipher, DataGroup14, FileId, Mapping, ProofOutcome, SelectedPace, TerminalAuthentication,
};
use cccd_emrtd::CvCertificate;
use cccd_trust::{CardSecurity, Reason, chip_checks};
use zeroize::Zeroizing;

use crate::chip::reading;

/// The pieces of a chip's proofs, each behind its length in two bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answers<'a> {
    pub(crate) card_access: &'a [u8],
    pub(crate) dg14: &'a [u8],
    pub(crate) dg15: &'a [u8],
    /// The signature over the challenge.
    pub(crate) response: &'a [u8],
    /// The keys of both kinds of chip authentication.
    pub(crate) public_key: &'a [u8],
    pub(crate) authentication_data: &'a [u8],
}

pub(crate) fn answers(bytes: &[u8]) -> Option<()> {
    let answers = Answers::read(bytes)?;
    let mut evidence = reading([(FileId::DG14, answers.dg14), (FileId::DG15, answers.dg15)]);
    evidence.access.card_access = Some(Zeroizing::new(answers.card_access.to_vec()));
    evidence.access.protocol = AccessProtocol::Pace(SelectedPace {
        mapping: Mapping::ChipAuthentication,
        cipher: Cipher::Aes128,
        parameter_id: 13,
    });
    evidence.proofs = ChipProofs {
        active_authentication: ProofOutcome::Done(ActiveAuthenticationRun {
            challenge: [1, 2, 3, 4, 5, 6, 7, 8],
            nonce: None,
            response: answers.response.to_vec(),
        }),
        chip_authentication: ProofOutcome::Done(ChipAuthenticationRun {
            public_key: answers.public_key.to_vec(),
            key_id: None,
            cipher: Cipher::Aes128,
            terminal_public_key: answers.public_key.to_vec(),
        }),
        chip_authentication_mapping: ProofOutcome::Done(ChipAuthenticationMappingRun {
            parameter_id: 13,
            mapping_public_key: answers.public_key.to_vec(),
            authentication_data: answers.authentication_data.to_vec(),
        }),
        terminal_authentication: TerminalAuthentication::NotAsked,
    };
    let options = DataGroup14::parse(answers.dg14).ok().map(|group| group.security_infos);
    let signed = options.map_or(CardSecurity::NotTrusted(Reason::NoVerifiedSigner), CardSecurity::Signed);
    black_box(chip_checks(&evidence, &signed));
    Some(())
}

pub(crate) fn cv_certificate(bytes: &[u8]) -> Option<()> {
    let certificates = CvCertificate::parse_all(bytes).ok().filter(|found| !found.is_empty())?;
    for certificate in &certificates {
        black_box((certificate.authority(), certificate.holder(), certificate.role(), certificate.rights()));
        black_box((certificate.algorithm_name(), certificate.effective(), certificate.expires()));
    }
    Some(())
}

impl<'a> Answers<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut piece = || {
            let (length, after) = rest.split_first_chunk()?;
            let (piece, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = after;
            Some(piece)
        };
        Some(Self {
            card_access: piece()?,
            dg14: piece()?,
            dg15: piece()?,
            response: piece()?,
            public_key: piece()?,
            authentication_data: piece()?,
        })
    }

    #[cfg(feature = "seeds")]
    pub(crate) fn written(&self) -> anyhow::Result<Vec<u8>> {
        let pieces = [
            self.card_access,
            self.dg14,
            self.dg15,
            self.response,
            self.public_key,
            self.authentication_data,
        ];
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(u16::try_from(piece.len())?.to_be_bytes());
            out.extend(piece);
        }
        Ok(out)
    }
}
