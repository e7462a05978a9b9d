//! A station's key that lies in a token: the trait `TerminalKey` over PKCS #11, here with SoftHSM. A program that
//! embeds the agent's crates does the same with a token of its own; the agent itself links no PKCS #11.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use cccd_card::ChannelLimits;
use cccd_document::{FileId, FileOutcome};
use cccd_emrtd::{
    CvCertificate, LockedChip, NoEntropy, ReadPlan, SigningError, Terminal, TerminalKey, TerminalPublicKey,
    read_document_as,
};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Issuer, personalise};
use cccd_firmware_sim::pki::{CvAuthority, CvPlan, CvPublicKey, SignerKind};
use cccd_firmware_sim::reader::in_process::DirectChannel;
use cccd_tests::{judged, people};
use const_oid::ObjectIdentifier;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};

/// id-TA-ECDSA-SHA-256 and id-TA-RSA-v1-5-SHA-256 (BSI TR-03110-3, A.6.4).
const ECDSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.2.2.3");
const RSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.2.1.2");
/// prime256v1, as CKA_EC_PARAMS wants it.
const P_256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
/// Where distributions put SoftHSM.
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
];
/// SoftHSM finds its tokens through this, which must be there before it is loaded.
const CONFIGURATION: &str = "SOFTHSM2_CONF";

/// A key in a token. It was made there and has never been anywhere else.
struct TokenKey {
    session: Arc<Mutex<Session>>,
    private: ObjectHandle,
    public: TerminalPublicKey,
}

impl TerminalKey for TokenKey {
    fn public_key(&self) -> &TerminalPublicKey {
        &self.public
    }

    fn sign(
        &self,
        algorithm: ObjectIdentifier,
        message: &[u8],
        _: &mut dyn TryCryptoRng<Error = NoEntropy>,
    ) -> Result<Vec<u8>, SigningError> {
        let session = self.session.lock().unwrap();
        // CKM_ECDSA signs a digest and gives r and s side by side, as chips want them.
        let signature = match algorithm {
            ECDSA_SHA_256 => session.sign(&Mechanism::Ecdsa, self.private, &Sha256::digest(message)),
            RSA_SHA_256 => session.sign(&Mechanism::Sha256RsaPkcs, self.private, message),
            other => return Err(SigningError::Algorithm(other)),
        };
        signature.map_err(|_| SigningError::Unavailable)
    }
}

/// A session with a new token in `folder`, logged in.
fn token(module: &Path) -> (Pkcs11, Session) {
    let pkcs11 = Pkcs11::new(module).unwrap();
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let (officer, user) = (AuthPin::new("officer".into()), AuthPin::new("station".into()));
    let slot = pkcs11.get_slots_with_token().unwrap()[0];
    pkcs11.init_token(slot, &officer, "station").unwrap();
    let session = pkcs11.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&officer)).unwrap();
    session.init_pin(&user).unwrap();
    session.logout().unwrap();
    session.login(UserType::User, Some(&user)).unwrap();
    (pkcs11, session)
}

fn attribute(session: &Session, key: ObjectHandle, kind: AttributeType) -> Vec<u8> {
    match session.get_attributes(key, &[kind]).unwrap().remove(0) {
        Attribute::EcPoint(bytes) | Attribute::Modulus(bytes) | Attribute::PublicExponent(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// Makes a key in the token; its public half in the words of both sides.
fn make(session: &Session, signer: SignerKind) -> (ObjectHandle, TerminalPublicKey, CvPublicKey) {
    let private = [Attribute::Sensitive(true), Attribute::Extractable(false), Attribute::Sign(true)];
    if signer == SignerKind::ECDSA_P256 {
        let template = [Attribute::EcParams(P_256.to_vec()), Attribute::Verify(true)];
        let (public, private) =
            session.generate_key_pair(&Mechanism::EccKeyPairGen, &template, &private).unwrap();
        // An OCTET STRING with the point in it: 04 41, then 65 bytes.
        let point = attribute(session, public, AttributeType::EcPoint)[2..].to_vec();
        return (private, TerminalPublicKey::Ecdsa(point.clone()), CvPublicKey::Ecdsa { point });
    }
    let template = [
        Attribute::ModulusBits(2048.into()),
        Attribute::PublicExponent(vec![1, 0, 1]),
        Attribute::Verify(true),
    ];
    let (public, private) =
        session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &template, &private).unwrap();
    let modulus = attribute(session, public, AttributeType::Modulus);
    let exponent = attribute(session, public, AttributeType::PublicExponent);
    (private, TerminalPublicKey::Rsa(modulus.clone()), CvPublicKey::Rsa { modulus, exponent })
}

#[test]
fn a_key_that_lives_in_a_token_opens_the_fingerprints() {
    let module = MODULES.iter().map(Path::new).find(|path| path.exists());
    let module = module.expect("SoftHSM is not installed; `cargo xtask setup` installs it");
    if std::env::var_os(CONFIGURATION).is_none() {
        return run_again_with_tokens_in_a_folder_of_our_own();
    }
    let (_pkcs11, session) = token(module);
    let session = Arc::new(Mutex::new(session));
    for signer in [SignerKind::ECDSA_P256, SignerKind::RSA_2048] {
        let (private, public, certified) = make(&session.lock().unwrap(), signer);
        let kind = |plan| CvPlan { signer, ..plan };
        let root = CvAuthority::root(kind(CvPlan::root("UTCVCA00001"))).unwrap();
        let verifier = root.certify(kind(CvPlan::document_verifier("UTDVCA00001"))).unwrap();
        let own = verifier.certify_key(&kind(CvPlan::terminal("UTTERM00001")), &certified).unwrap();
        let certificates =
            [verifier.certificate(), &own].map(|bytes| CvCertificate::parse(bytes).unwrap()).to_vec();
        let key = TokenKey { session: Arc::clone(&session), private, public };
        let terminal = Terminal::new(certificates, Box::new(key)).unwrap();

        let card = people::card("cccd-2021").with_terminal_authentication(vec![root]);
        let image = personalise(&card, &Issuer::new().unwrap()).unwrap();
        let channel = DirectChannel::new(Chip::new(image), ChannelLimits::EXTENDED).unwrap();
        let keys = [judged::can(&card).unwrap()];
        let mut chip = LockedChip::new(channel).unlock(&keys, &mut getrandom::SysRng).unwrap();
        let plan = ReadPlan::new([FileId::EfSod, FileId::DG14, FileId::DG3]);
        let evidence =
            read_document_as(Ok(&terminal), &mut chip, &plan, &mut getrandom::SysRng, &mut |_| {}).unwrap();
        let proof = &evidence.proofs.terminal_authentication;
        assert!(proof.done().is_some(), "{signer:?}: {proof:?}");
        assert!(matches!(evidence.files[&FileId::DG3], FileOutcome::Read(_)), "{signer:?}");
    }
}

/// The environment of a running program is not changed: the test starts itself once more in another.
fn run_again_with_tokens_in_a_folder_of_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let tokens: PathBuf = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let configuration = folder.path().join("softhsm2.conf");
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    std::fs::write(&configuration, text).unwrap();
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "a_key_that_lives_in_a_token_opens_the_fingerprints"]);
    let again =
        cccd_patience::output("the test in a process of its own", again.env(CONFIGURATION, &configuration));
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
}
