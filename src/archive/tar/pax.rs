//! What extension headers say of the entry that follows them.

use super::header::text;
use crate::domain::{Error, Result};

/// How a sparse file of POSIX' form says where its data stand.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SparseRecords {
    /// Offsets and lengths in turn, as they came; empty where the map stands in front of the data.
    pub(super) numbers: Vec<u64>,
    /// The size of the file with its holes.
    pub(super) size: Option<u64>,
    /// Whether the map stands in front of the data.
    pub(super) has_map_in_data: bool,
}

/// What extension headers say of the entry that follows them.
#[derive(Default)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) sparse: Option<Box<SparseRecords>>,
    /// The name of a sparse file, whose header has a made-up one.
    sparse_name: Option<Vec<u8>>,
    /// Whether there was any such header.
    pub(super) is_any: bool,
}

impl Extended {
    /// Takes in a long name as GNU tar writes it.
    pub(super) fn long_name(&mut self, content: &[u8]) {
        (self.path, self.is_any) = (Some(text(content).to_vec()), true);
    }

    /// Takes in the long target of a link as GNU tar writes it.
    pub(super) fn long_link(&mut self, content: &[u8]) {
        (self.link, self.is_any) = (Some(text(content).to_vec()), true);
    }

    /// Takes in PAX records: `<length> <key>=<value>\n`. An empty value takes back what came before.
    pub(super) fn records(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.is_any = true;
        while !bytes.is_empty() {
            let (record, rest) = record(bytes).ok_or_else(malformed)?;
            bytes = rest;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(malformed)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            let given = (!value.is_empty()).then(|| value.to_vec());
            if matches!(key, b"path" | b"linkpath" | b"GNU.sparse.name") && value.contains(&0) {
                return Err(Error::invalid("archive has a name with a NUL in it"));
            }
            match key {
                b"path" => self.path = given,
                b"linkpath" => self.link = given,
                b"size" => self.size = Some(number(value)?),
                b"GNU.sparse.name" => self.sparse_name = given,
                b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.sparse().size = Some(number(value)?),
                b"GNU.sparse.major" => self.sparse().has_map_in_data = number(value)? > 0,
                b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                    let number = number(value)?;
                    let numbers = &mut self.sparse().numbers;
                    // A record has a place of its own among the pairs.
                    if numbers.len() % 2 != usize::from(key.ends_with(b"numbytes")) {
                        return Err(malformed());
                    }
                    numbers.push(number);
                }
                b"GNU.sparse.map" => {
                    let numbers = value.split(|byte| *byte == b',').filter(|text| !text.is_empty()).map(number);
                    self.sparse().numbers = numbers.collect::<Result<_>>()?;
                }
                _ => {}
            }
        }
        if let Some(name) = &self.sparse_name {
            self.path = Some(name.clone());
        }
        Ok(())
    }

    fn sparse(&mut self) -> &mut SparseRecords {
        self.sparse.get_or_insert_default()
    }
}

/// The first record and what follows it; `None` where it is none.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length = std::str::from_utf8(&bytes[..space]).ok()?;
    let length: usize = length.parse().ok().filter(|_| length.bytes().all(|byte| byte.is_ascii_digit()))?;
    let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    Some((record, &bytes[length..]))
}

fn number(digits: &[u8]) -> Result<u64> {
    // Nothing is larger than an i64 says.
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<i64>().ok());
    number.and_then(|number| u64::try_from(number).ok()).ok_or_else(malformed)
}

fn malformed() -> Error {
    Error::invalid("archive has a malformed PAX header")
}
