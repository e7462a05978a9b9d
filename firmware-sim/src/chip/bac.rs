//! Basic Access Control, the chip's half (ICAO 9303-11, 4.3).

use cccd_card::{SecretBytes, StatusWord};
use openssl::memcmp;

use super::apdu::Refusal;
use super::crypto::{self, KeyUse};
use super::entropy::Entropy;
use super::secure_messaging::SecureMessaging;
use crate::image::PaceCipher;

const CIPHER: PaceCipher = PaceCipher::TripleDes;

/// Answers E_IFD || M_IFD with E_IC || M_IC and opens the session, if the terminal knows the MRZ.
pub(super) fn mutual_authenticate(
    mrz_information: &str,
    challenge: [u8; 8],
    token: &[u8; 40],
    entropy: &mut Entropy,
) -> Result<(Vec<u8>, SecureMessaging), Refusal> {
    let failed = Refusal(StatusWord::VERIFICATION_FAILED);
    let seed = SecretBytes::new(crypto::sha1(mrz_information.as_bytes())?.into_iter().take(16).collect());
    let encryption_key = crypto::derive(CIPHER, &seed, KeyUse::Encryption)?;
    let mac_key = crypto::derive(CIPHER, &seed, KeyUse::Mac)?;
    let checksum = |sealed: &[u8]| crypto::mac(CIPHER, &mac_key, &crypto::pad(sealed.to_vec(), 8));

    let (sealed, claimed) = token.split_first_chunk::<32>().ok_or(failed)?;
    let expected = checksum(sealed)?;
    if expected.len() != claimed.len() || !memcmp::eq(&expected, claimed) {
        return Err(failed);
    }
    // S = RND.IFD || RND.IC || K.IFD
    let opened = SecretBytes::new(crypto::decrypt(CIPHER, &encryption_key, &[0; 8], sealed)?);
    let (rnd_ifd, rest) = opened.split_first_chunk::<8>().ok_or(failed)?;
    let (rnd_ic, k_ifd) = rest.split_first_chunk::<8>().ok_or(failed)?;
    if !memcmp::eq(rnd_ic, &challenge) {
        return Err(failed);
    }

    let k_ic = SecretBytes::new(entropy.array::<16>()?.to_vec());
    // R = RND.IC || RND.IFD || K.IC
    let plain = SecretBytes::new([&challenge[..], rnd_ifd, &k_ic].concat());
    let mut answer = crypto::encrypt(CIPHER, &encryption_key, &[0; 8], &plain)?;
    let ours = checksum(&answer)?;
    answer.extend(ours);

    let session_seed = SecretBytes::new(k_ifd.iter().zip(k_ic.iter()).map(|(a, b)| a ^ b).collect());
    let [_, _, _, _, low_ic @ ..] = challenge;
    let [_, _, _, _, low_ifd @ ..] = *rnd_ifd;
    let counter = u128::from(u32::from_be_bytes(low_ic)) << 32 | u128::from(u32::from_be_bytes(low_ifd));
    Ok((answer, SecureMessaging::new(CIPHER, &session_seed, counter)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_icao_example_from_the_chips_side() {
        // ICAO 9303-11, Appendix D.3.
        let token: [u8; 40] =
            hex::decode("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A7")
                .unwrap()
                .try_into()
                .unwrap();
        let k_ic = hex::decode("0B4F80323EB3191CB04970CB4052790B").unwrap();
        let mut entropy = Entropy::Forced(Box::new(move |bytes| bytes.copy_from_slice(&k_ic)));
        let challenge = [0x46, 0x08, 0xF9, 0x19, 0x88, 0x70, 0x22, 0x12];
        let (answer, session) =
            mutual_authenticate("L898902C<369080619406236", challenge, &token, &mut entropy).unwrap();
        assert_eq!(
            hex::encode_upper(answer),
            "46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449"
        );
        let (encryption_key, mac_key) = session.keys();
        assert_eq!(hex::encode_upper(encryption_key), "979EC13B1CBFE9DCD01AB0FED307EAE5");
        assert_eq!(hex::encode_upper(mac_key), "F1CB1F1FB5ADF208806B89DC579DC1F8");

        // The same token against another challenge is a replay.
        let replayed = mutual_authenticate("L898902C<369080619406236", [0; 8], &token, &mut entropy);
        assert_eq!(replayed.err(), Some(Refusal(StatusWord::VERIFICATION_FAILED)));
    }
}
