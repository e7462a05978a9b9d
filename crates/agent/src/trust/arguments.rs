//! `cccd-agent trust`, as it is typed.

use std::path::PathBuf;

use cccd_trust::store::Fingerprint;
use clap::{Args, Subcommand};

/// Exit codes: 0 done; 1 it could not be carried out; 2 something cannot be used, what could be done is done;
/// 3 nothing was changed, because the operator has to vouch for it first.
#[derive(Args)]
#[command(after_help = "Mã thoát · exit codes:
  0  xong · done
  1  không thực hiện được · it could not be carried out
  2  có thứ không dùng được; phần làm được đã làm · something cannot be used; what could be done is done
  3  chưa thay đổi gì, người vận hành phải xác nhận · nothing was changed: the operator has to vouch for it first")]
pub(crate) struct TrustArguments {
    /// The store; without it, the one in the settings
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: TrustCommand,
}

#[derive(Subcommand)]
pub(crate) enum TrustCommand {
    /// Cài chứng thư CSCA, danh sách CSCA hoặc CRL · Install certificates, master lists or CRLs from files
    Add(AddArguments),
    /// Liệt kê chứng thư và CRL đã cài · List what is installed
    List {
        /// Only this country, two letters
        #[arg(long, value_name = "CC")]
        country: Option<String>,
    },
    /// Xem một chứng thư đã cài · Show one installed certificate
    Show {
        /// The beginning of its fingerprint, at least eight digits
        fingerprint: FingerprintStart,
        /// Print the certificate itself, as PEM
        #[arg(long)]
        pem: bool,
    },
    /// Gỡ chứng thư hoặc CRL · Remove certificates or CRLs
    Remove {
        /// The beginnings of their fingerprints, at least eight digits each
        #[arg(required = true)]
        fingerprints: Vec<FingerprintStart>,
    },
    /// Cập nhật danh sách và CRL, từ tệp hoặc từ mạng nếu cấu hình cho phép · Bring lists and CRLs up to date, from
    /// files, or from the network where the settings allow it
    Update {
        /// New editions of master lists, and CRLs; without any, the addresses in the settings
        files: Vec<PathBuf>,
        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// So sánh hai ấn bản của kho · Tell what differs between two editions of the store
    Diff {
        /// The older edition; without it, the one before the other
        from: Option<u64>,
        /// The newer edition; without it, the one that holds
        to: Option<u64>,
    },
    /// Kiểm tra tệp mà không cài · Tell of each certificate in files whether it could be installed; changes nothing
    Check {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        signers: SignerArguments,
    },
}

#[derive(Args)]
pub(crate) struct AddArguments {
    /// DER, PEM, master lists, LDIF, CRLs: told apart by content
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The fingerprint you were given for a certificate, by another way than the file
    #[arg(long, value_name = "SHA256")]
    pub(crate) expect: Vec<Fingerprint>,
    #[command(flatten)]
    pub(crate) signers: SignerArguments,
    /// Take what nothing vouches for but you
    #[arg(long)]
    pub(crate) accept_unverified: bool,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct SignerArguments {
    /// A certificate that may sign master lists, besides those in the settings
    #[arg(long = "signer", value_name = "SHA256")]
    pub(crate) signers: Vec<Fingerprint>,
}

/// The beginning of a fingerprint, long enough to be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FingerprintStart(String);

impl FingerprintStart {
    pub(crate) fn fits(&self, fingerprint: &Fingerprint) -> bool {
        fingerprint.to_string().starts_with(&self.0)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text is no beginning of a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("8 to 64 hexadecimal digits, with or without colons")]
pub(crate) struct NotAFingerprintStart;

impl std::str::FromStr for FingerprintStart {
    type Err = NotAFingerprintStart;

    fn from_str(text: &str) -> Result<Self, NotAFingerprintStart> {
        let digits: String =
            text.chars().filter(|char| *char != ':').map(|char| char.to_ascii_lowercase()).collect();
        let right = (8..=64).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if right { Ok(Self(digits)) } else { Err(NotAFingerprintStart) }
    }
}
