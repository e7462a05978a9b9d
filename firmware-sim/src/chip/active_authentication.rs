//! Active authentication, the chip's half (ICAO 9303-11, 6.1).

use cccd_card::StatusWord;
use openssl::bn::BigNum;
use openssl::bn::BigNumContext;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::Private;
use openssl::rsa::{Padding, RsaRef};

use super::apdu::{Answer, Refusal, Reply, Request};
use super::entropy::Entropy;
use crate::image::{
    ActiveAuthenticationKey, ActiveAuthenticationOffer, EcdsaForm, LongAnswer, RsaForm, SignatureHash,
};

/// How often a signature that begins with a zero byte is looked for: one in 256 does.
const SHORT_SIGNATURE_DRAWS: usize = 8_192;

/// INTERNAL AUTHENTICATE: signs RND.IFD.
pub(super) fn internal_authenticate(
    offer: &ActiveAuthenticationOffer,
    request: &Request<'_>,
    entropy: &mut Entropy,
) -> Answer {
    if request.p1_p2() != 0 {
        return Err(Refusal(StatusWord::WRONG_P1_P2));
    }
    if request.data.len() != 8 {
        return Err(Refusal(StatusWord::WRONG_LENGTH));
    }
    let signature = sign(offer, request.data, entropy)?;
    let Some(le) = request.le else {
        return Err(Refusal(StatusWord::WRONG_LENGTH));
    };
    let carried = le.limit().min(request.room);
    let cut = || signature.get(..carried).unwrap_or(&signature).to_vec();
    match offer.long_answer {
        LongAnswer::EmptyWhenExtended if le.limit() > 256 => Ok(Reply::bare(StatusWord::OK)),
        LongAnswer::Cut | LongAnswer::EmptyWhenExtended => Ok(Reply { data: cut(), status: StatusWord::OK }),
        LongAnswer::Announced if signature.len() > carried => {
            let more = u16::try_from(signature.len().saturating_sub(carried)).unwrap_or(u16::MAX);
            // 6100 stands for 256 bytes or more.
            Ok(Reply { data: cut(), status: StatusWord(0x6100 | if more > 0xFF { 0 } else { more }) })
        }
        LongAnswer::Announced | LongAnswer::Refused => request.answer(signature),
    }
}

pub(super) fn sign(
    offer: &ActiveAuthenticationOffer,
    challenge: &[u8],
    entropy: &mut Entropy,
) -> Result<Vec<u8>, Refusal> {
    match &offer.key {
        ActiveAuthenticationKey::Ecdsa(key, form) => {
            let signature = EcdsaSig::sign(&digest(offer.hash, challenge)?, key)?;
            match form {
                EcdsaForm::Der => Ok(signature.to_der()?),
                EcdsaForm::Plain => {
                    let mut order = BigNum::new()?;
                    key.group().order(&mut order, &mut *BigNumContext::new()?)?;
                    let length = order.num_bytes();
                    Ok([signature.r().to_vec_padded(length)?, signature.s().to_vec_padded(length)?].concat())
                }
            }
        }
        ActiveAuthenticationKey::Rsa(key, form) => sign_rsa(key, *form, offer.hash, challenge, entropy),
        ActiveAuthenticationKey::Missing => Err(Refusal(StatusWord::REFERENCE_NOT_FOUND)),
    }
}

/// ISO/IEC 9796-2, digital signature scheme 1 with partial recovery, signed by plain RSA (its B.6).
fn sign_rsa(
    key: &RsaRef<Private>,
    form: RsaForm,
    hash: SignatureHash,
    challenge: &[u8],
    entropy: &mut Entropy,
) -> Result<Vec<u8>, Refusal> {
    let modulus_bytes = usize::try_from(key.size()).unwrap_or(0);
    let message_bytes = match form {
        RsaForm::ShortMessage => modulus_bytes.saturating_sub(1),
        RsaForm::Standard | RsaForm::LongTrailer | RsaForm::ShortSignature => modulus_bytes,
    };
    let trailer = trailer(hash, form);
    // 6A, hash and trailer leave the rest to M1, which only a key below 544 bits would have no room for.
    let room =
        message_bytes.checked_sub(1 + hash.length() + trailer.len()).ok_or(Refusal(StatusWord(0x6F00)))?;
    for _ in 0..SHORT_SIGNATURE_DRAWS {
        let mut m1 = vec![0; room];
        entropy.fill(&mut m1)?;
        let message = representative(hash, &trailer, &m1, challenge)?;
        let padded = [vec![0; modulus_bytes.saturating_sub(message.len())], message].concat();
        let mut signature = vec![0; modulus_bytes];
        key.private_encrypt(&padded, &mut signature, Padding::NONE)?;
        match (form, signature.split_first()) {
            (RsaForm::ShortSignature, Some((0, rest))) => return Ok(rest.to_vec()),
            (RsaForm::ShortSignature, _) => {}
            _ => return Ok(signature),
        }
    }
    Err(Refusal(StatusWord(0x6F00)))
}

/// 6A || M1 || H(M1 || M2) || T (ICAO 9303-11, Appendix F).
fn representative(
    hash: SignatureHash,
    trailer: &[u8],
    m1: &[u8],
    challenge: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    let value = digest(hash, &[m1, challenge].concat())?;
    Ok([&[0x6A], m1, &value, trailer].concat())
}

fn trailer(hash: SignatureHash, form: RsaForm) -> Vec<u8> {
    // The hash identifiers of ISO/IEC 10118-3.
    match (hash, form) {
        (SignatureHash::Sha1, RsaForm::LongTrailer) => vec![0x33, 0xCC],
        (SignatureHash::Sha1, _) => vec![0xBC],
        (SignatureHash::Sha224, _) => vec![0x38, 0xCC],
        (SignatureHash::Sha256, _) => vec![0x34, 0xCC],
        (SignatureHash::Sha384, _) => vec![0x36, 0xCC],
        (SignatureHash::Sha512, _) => vec![0x35, 0xCC],
    }
}

fn digest(kind: SignatureHash, data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let kind = match kind {
        SignatureHash::Sha1 => MessageDigest::sha1(),
        SignatureHash::Sha224 => MessageDigest::sha224(),
        SignatureHash::Sha256 => MessageDigest::sha256(),
        SignatureHash::Sha384 => MessageDigest::sha384(),
        SignatureHash::Sha512 => MessageDigest::sha512(),
    };
    Ok(hash(kind, data)?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_representative_of_icao_appendix_f() {
        // ICAO 9303-11, Appendix F: RSA of 1024 bits, SHA-1. It names no key.
        let m1 = hex::decode(
            "9D2784A67F8E7C659973EA1AEA25D95B6C8F91E5002F369F0FBDCE8A3CEC1991B543F1696546C5524CF23A5303CD6C98\
             599F40B79F377B5F3A1406B3B4D8F96784D23AA88DB7E1032A405E69325FA91A6E86F5C71AEA978264C4A207446DAD4E\
             7292E2DCDA3024B47DA8",
        )
        .unwrap();
        let challenge = hex::decode("F173589974BF40C6").unwrap();
        let trailer = trailer(SignatureHash::Sha1, RsaForm::Standard);
        let message = representative(SignatureHash::Sha1, &trailer, &m1, &challenge).unwrap();
        assert_eq!(message.len(), 128);
        assert_eq!((message[0], &message[1..107]), (0x6A, &m1[..]));
        assert_eq!(hex::encode_upper(&message[107..]), "C063AA1E6D22FBD976AB0FE73D94D2D9C6D88127BC");
    }
}
