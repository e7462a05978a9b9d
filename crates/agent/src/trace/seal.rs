//! Bytes of a trace for somebody else's eyes alone: sealed to a public key (RFC 9180), so that the machine that
//! recorded them cannot open them again.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal};
use zeroize::Zeroizing;

use super::file::{Bytes, Sealed, Trace, TraceError};

/// What is sealed is for this and nothing else.
const PURPOSE: &[u8] = b"cccd-agent trace bytes 1";

type Suite = DhP256HkdfSha256;

/// A new pair of keys, private and public, as hexadecimal digits.
pub fn new_keys() -> (Zeroizing<String>, String) {
    let (private, public) = Suite::gen_keypair();
    (Zeroizing::new(hex::encode(private.to_bytes())), hex::encode(public.to_bytes()))
}

/// The same trace, whose bytes only the private key of `recipient` opens.
pub fn seal(mut trace: Trace, recipient: &str) -> Result<Trace, TraceError> {
    let recipient = hex::decode(recipient.trim()).map_err(|_| TraceError::NoKey)?;
    let recipient = <Suite as Kem>::PublicKey::from_bytes(&recipient).map_err(|_| TraceError::NoKey)?;
    let bytes = trace.bytes.take().ok_or(TraceError::NoBytes)?;
    let plain = Zeroizing::new(serde_json::to_vec(&bytes)?);
    let (key, text) = single_shot_seal::<AesGcm256, HkdfSha256, Suite>(
        &OpModeS::Base,
        &recipient,
        PURPOSE,
        &plain,
        trace.atr.as_bytes(),
    )
    .map_err(|_| TraceError::NotSealed)?;
    trace.sealed = Some(Sealed { key: hex::encode(key.to_bytes()), text: hex::encode(text) });
    Ok(trace)
}

/// The same trace with its bytes, for whoever has the private key they were sealed to.
pub fn open(mut trace: Trace, private: &str) -> Result<Trace, TraceError> {
    let private = Zeroizing::new(hex::decode(private.trim()).map_err(|_| TraceError::NoKey)?);
    let private = <Suite as Kem>::PrivateKey::from_bytes(&private).map_err(|_| TraceError::NoKey)?;
    let sealed = trace.sealed.take().ok_or(TraceError::NoBytes)?;
    let decoded = |text: &str| hex::decode(text).map_err(|_| TraceError::NotOpened);
    let key = <Suite as Kem>::EncappedKey::from_bytes(&decoded(&sealed.key)?);
    let plain = single_shot_open::<AesGcm256, HkdfSha256, Suite>(
        &OpModeR::Base,
        &private,
        &key.map_err(|_| TraceError::NotOpened)?,
        PURPOSE,
        &decoded(&sealed.text)?,
        trace.atr.as_bytes(),
    );
    let plain = Zeroizing::new(plain.map_err(|_| TraceError::NotOpened)?);
    trace.bytes = Some(serde_json::from_slice::<Bytes>(&plain)?);
    Ok(trace)
}
