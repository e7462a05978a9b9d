//! What lies in the files that a target's settings name.

use zeroize::Zeroizing;

/// What the files hold that a block of the settings names: whoever opens files reads them, this crate understands them.
#[derive(Default)]
pub struct TargetFiles {
    /// What messages are signed with: `secret_file`.
    pub secrets: Option<Zeroizing<String>>,
    /// Authorities of the server's certificate, PEM: `ca_file`.
    pub authorities: Option<Vec<u8>>,
    /// This machine's certificates and key, PEM, one after the other: `certificate` and `key`.
    pub identity: Option<Zeroizing<Vec<u8>>>,
    /// The secret of the client: `oauth.secret_file`.
    pub oauth_secret: Option<Zeroizing<String>>,
    /// The password at the broker: `password_file`.
    pub password: Option<Zeroizing<String>>,
    /// The public key of whoever takes results, a JSON Web Key: `recipient_file`.
    pub recipient: Option<String>,
}

impl std::fmt::Debug for TargetFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<files>")
    }
}
