//! The head of the chain: which entry is the last, beside the chain and not in it.
//!
//! Without it nobody could tell a chain from its beginning.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::proof::{ChainFault, Fault};
use crate::hash_key::HashKey;
use crate::{StoreError, private};

const PURPOSE: &str = "audit-head";

/// Which entry is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) sequence: u64,
    pub(super) hash: [u8; 32],
}

/// Where it is kept.
pub(super) enum HeadKeeper {
    File(PathBuf),
    Memory(Mutex<Option<Head>>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    sequence: u64,
    hash: String,
    mac: String,
}

fn signed(head: &Head) -> Vec<u8> {
    [&head.sequence.to_be_bytes()[..], &head.hash].concat()
}

impl HeadKeeper {
    pub(super) fn of_folder(folder: &Path) -> Self {
        Self::File(folder.join("audit.head"))
    }

    pub(super) fn in_memory() -> Self {
        Self::Memory(Mutex::new(None))
    }

    /// The head; `None` where there is none.
    pub(super) fn read(&self, key: &HashKey) -> Result<Option<Head>, StoreError> {
        let path = match self {
            Self::Memory(head) => return Ok(*head.lock().unwrap_or_else(PoisonError::into_inner)),
            Self::File(path) => path,
        };
        let Some(bytes) = private::read_small(path, 1024).map_err(StoreError::file(path))? else {
            return Ok(None);
        };
        let forged = || StoreError::ChainBroken(ChainFault { sequence: 0, fault: Fault::HeadForged });
        let written: Written = serde_json::from_slice(&bytes).map_err(|_| forged())?;
        let hash =
            hex::decode(&written.hash).ok().and_then(|hash| hash.try_into().ok()).ok_or_else(forged)?;
        let head = Head { sequence: written.sequence, hash };
        let mac = hex::decode(&written.mac).map_err(|_| forged())?;
        if key.matches(PURPOSE, &signed(&head), &mac) { Ok(Some(head)) } else { Err(forged()) }
    }

    pub(super) fn write(&self, key: &HashKey, head: Head) -> Result<(), StoreError> {
        let path = match self {
            Self::Memory(kept) => {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
                return Ok(());
            }
            Self::File(path) => path,
        };
        let mac = hex::encode(key.hash(PURPOSE, &signed(&head)));
        let written = Written { sequence: head.sequence, hash: hex::encode(head.hash), mac };
        let text = serde_json::to_vec(&written).unwrap_or_default();
        private::replace(path, &text).map_err(StoreError::file(path))
    }

    /// Renames the head as the chain it belongs to.
    pub(super) fn move_aside(&self, chain: Option<&Path>) -> Result<(), StoreError> {
        let path = match self {
            Self::Memory(kept) => {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
                return Ok(());
            }
            Self::File(path) => path,
        };
        let moved = match chain {
            Some(chain) => {
                let mut aside = chain.as_os_str().to_owned();
                aside.push(".head");
                std::fs::rename(path, aside)
            }
            None => std::fs::remove_file(path),
        };
        match moved {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::file(path)(error)),
            _ => Ok(()),
        }
    }
}
