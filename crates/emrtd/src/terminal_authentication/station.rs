//! A certified station: its certificates and its key, held together.

use time::Date;

use super::cv_certificate::{CvCertificate, CvRights};
use super::key::TerminalKey;

/// Roots in a row, link certificates, a verifier and a terminal: no chain is longer.
const LONGEST_CHAIN: usize = 8;

/// A station that an authority has certified: certificates and the private key to one of them.
pub struct Terminal {
    certificates: Vec<CvCertificate>,
    key: Box<dyn TerminalKey>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("certificates", &self.certificates.len()).finish_non_exhaustive()
    }
}

/// Why certificates and a key are no station.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TerminalError {
    /// There is no certificate of a terminal among them.
    #[error("no certificate of a terminal is among the {0} given")]
    NoTerminal(usize),
    /// The key is that of none of the terminals.
    #[error("private key does not belong to the certificate of {0}")]
    KeyMismatch(String),
    /// The certificate of whoever certified the terminal is missing.
    #[error("certificate of {authority}, who certified {holder}, is missing")]
    VerifierMissing {
        /// The terminal.
        holder: String,
        /// Whose certificate is missing.
        authority: String,
    },
    /// A certificate that is needed is valid no more.
    #[error("certificate of {holder} expired on {expires}")]
    Expired {
        /// Whose.
        holder: String,
        /// Its last day.
        expires: Date,
    },
    /// A certificate that is needed is not valid yet.
    #[error("certificate of {holder} is valid from {effective} on")]
    NotYetValid {
        /// Whose.
        holder: String,
        /// Its first day.
        effective: Date,
    },
}

impl TerminalError {
    /// Whether only the day is wrong: everything else fits.
    pub fn is_about_the_day(&self) -> bool {
        matches!(self, Self::Expired { .. } | Self::NotYetValid { .. })
    }
}

impl Terminal {
    /// Certificates in any order, of which more may be there than one chip needs: links between roots, roots
    /// themselves, and one of each authority that certified the station. Those of other stations are left out:
    /// a chain ends in a certificate whose public key is that of `key`.
    pub fn new(certificates: Vec<CvCertificate>, key: Box<dyn TerminalKey>) -> Result<Self, TerminalError> {
        let Some(some) = certificates.iter().find(|certificate| certificate.is_terminal()) else {
            return Err(TerminalError::NoTerminal(certificates.len()));
        };
        let mismatch = TerminalError::KeyMismatch(some.holder().to_owned());
        let ours = |certificate: &CvCertificate| certificate.public_key() == key.public_key();
        let mut certificates = certificates;
        certificates.retain(|certificate| !certificate.is_terminal() || ours(certificate));
        let terminal = Self { certificates, key };
        let own = terminal.own().next().ok_or(mismatch)?;
        if !terminal.own().any(|own| terminal.issuer(own).is_some()) {
            return Err(TerminalError::VerifierMissing {
                holder: own.holder().to_owned(),
                authority: own.authority().to_owned(),
            });
        }
        Ok(terminal)
    }

    /// The same with what is valid on that day, which must be enough for a chain. Roots and links count whatever
    /// their dates: a chip takes a link to a new root as long as it knows the old one (TR-03110-3, 2.5.2).
    pub fn valid_on(mut self, day: Date) -> Result<Self, TerminalError> {
        let why = |certificate: &CvCertificate| why_not(certificate, day);
        let out_of_date = self.own().find_map(why).or_else(|| self.certificates.iter().find_map(why));
        self.certificates.retain(|certificate| why_not(certificate, day).is_none());
        let complete = self.own().any(|own| self.issuer(own).is_some());
        match out_of_date {
            Some(why) if !complete => Err(why),
            _ => Ok(self),
        }
    }

    /// The terminal certificates of the key: one, and more where several authorities certified the station.
    pub fn own(&self) -> impl Iterator<Item = &CvCertificate> {
        self.certificates.iter().filter(|certificate| certificate.is_terminal())
    }

    /// The certificates from the highest that is here down to `own`.
    pub fn path<'a>(&'a self, own: &'a CvCertificate) -> Vec<&'a CvCertificate> {
        let mut path = vec![own];
        while let Some(issuer) = path.last().and_then(|below| self.issuer(below)) {
            if path.len() == LONGEST_CHAIN || path.contains(&issuer) {
                break;
            }
            path.push(issuer);
        }
        path.reverse();
        path
    }

    /// What the station may read: what every certificate of the path grants. A root that is not here may grant
    /// less.
    pub fn rights(&self, own: &CvCertificate) -> CvRights {
        self.path(own).iter().fold(CvRights::ALL, |rights, certificate| rights.and(certificate.rights()))
    }

    pub(crate) fn key(&self) -> &dyn TerminalKey {
        self.key.as_ref()
    }

    fn issuer(&self, of: &CvCertificate) -> Option<&CvCertificate> {
        self.certificates
            .iter()
            .find(|candidate| candidate.holder() == of.authority() && candidate.holder() != of.holder())
    }

    /// The certificates that lead from what the chip trusts to a terminal, if there is such a chain.
    pub(crate) fn chain(&self, trusted: &str) -> Option<Vec<&CvCertificate>> {
        let mut chain = Vec::new();
        self.go_on(trusted, &mut chain).then_some(chain)
    }

    fn go_on<'a>(&'a self, from: &str, chain: &mut Vec<&'a CvCertificate>) -> bool {
        if chain.len() == LONGEST_CHAIN {
            return false;
        }
        for next in self.certificates.iter().filter(|next| next.authority() == from) {
            // A root's own certificate leads nowhere, and no certificate leads on twice.
            if next.holder() == from || chain.contains(&next) {
                continue;
            }
            chain.push(next);
            if next.is_terminal() || self.go_on(next.holder(), chain) {
                return true;
            }
            chain.pop();
        }
        false
    }
}

/// Why a verifier's or a terminal's certificate does not count on that day.
fn why_not(certificate: &CvCertificate, day: Date) -> Option<TerminalError> {
    let holder = || certificate.holder().to_owned();
    if certificate.is_authority() {
        None
    } else if certificate.expires() < day {
        Some(TerminalError::Expired { holder: holder(), expires: certificate.expires() })
    } else if certificate.effective() > day {
        Some(TerminalError::NotYetValid { holder: holder(), effective: certificate.effective() })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use cccd_firmware_sim::pki::{CvAuthority, CvPlan, CvRights as Granted};
    use time::macros::date;

    use super::*;
    use crate::FileTerminalKey;

    fn station() -> [CvAuthority; 3] {
        let root = CvAuthority::root(CvPlan::root("UTCVCA00001")).unwrap();
        let plan = CvPlan { expires: date!(2026 - 12 - 31), ..CvPlan::document_verifier("UTDVCA00001") };
        let verifier = root.certify(plan).unwrap();
        let own = CvPlan {
            rights: Granted::Fingerprints,
            effective: date!(2026 - 11 - 01),
            expires: date!(2026 - 11 - 30),
            ..CvPlan::terminal("UTTERM00001")
        };
        let own = verifier.certify(own).unwrap();
        [root, verifier, own]
    }

    fn terminal(holders: &[&CvAuthority], key: &CvAuthority) -> Result<Terminal, TerminalError> {
        let certificates =
            holders.iter().map(|holder| CvCertificate::parse(holder.certificate()).unwrap()).collect();
        let key = FileTerminalKey::from_pkcs8(&key.private_key_pkcs8().unwrap()).unwrap();
        Terminal::new(certificates, Box::new(key))
    }

    #[test]
    fn certificates_in_any_order_make_a_path_and_what_all_of_them_grant() {
        let [root, verifier, own] = station();
        let terminal = terminal(&[&own, &root, &verifier], &own).unwrap();
        let [own] = terminal.own().collect::<Vec<_>>()[..] else { panic!() };
        let path: Vec<_> = terminal.path(own).iter().map(|certificate| certificate.holder()).collect();
        assert_eq!(path, ["UTCVCA00001", "UTDVCA00001", "UTTERM00001"]);
        assert_eq!(terminal.rights(own), CvRights { fingerprints: true, irises: false });
    }

    #[test]
    fn what_is_no_station_says_what_is_missing() {
        let [root, verifier, own] = station();
        let [_, _, other] = station();
        let said = |holders: &[&CvAuthority], key| terminal(holders, key).unwrap_err().to_string();
        assert_eq!(said(&[&root, &verifier], &own), "no certificate of a terminal is among the 2 given");
        assert_eq!(
            said(&[&root, &verifier, &own], &other),
            "private key does not belong to the certificate of UTTERM00001"
        );
        assert_eq!(
            said(&[&own, &root], &own),
            "certificate of UTDVCA00001, who certified UTTERM00001, is missing"
        );
        // A neighbour's certificate beside ours does no harm, and leads nowhere.
        let neighbours = terminal(&[&verifier, &other, &own], &own).unwrap();
        assert_eq!(neighbours.own().count(), 1);
    }

    #[test]
    fn a_station_counts_from_its_first_day_to_its_last() {
        let [root, verifier, own] = station();
        let on = |day| terminal(&[&root, &verifier, &own], &own).unwrap().valid_on(day);
        assert!(on(date!(2026 - 11 - 01)).is_ok() && on(date!(2026 - 11 - 30)).is_ok());
        let expired = on(date!(2026 - 12 - 01)).unwrap_err();
        assert_eq!(expired.to_string(), "certificate of UTTERM00001 expired on 2026-11-30");
        assert!(expired.is_about_the_day());
        let early = on(date!(2026 - 10 - 31)).unwrap_err().to_string();
        assert_eq!(early, "certificate of UTTERM00001 is valid from 2026-11-01 on");
        let verifiers = on(date!(2027 - 01 - 01)).unwrap_err().to_string();
        assert!(verifiers.contains("expired"), "{verifiers}");
    }
}
