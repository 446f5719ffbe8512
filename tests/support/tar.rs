//! Tar archives as bytes, right and wrong ones.

/// A tar archive in the making. Nothing is checked: what is wrong with it is the test's.
#[derive(Clone, Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    /// Adds a file.
    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(b'0', path, "", content.len() as u64, content)
    }

    /// Adds a directory.
    pub fn directory(self, path: &str) -> Self {
        self.entry(b'5', path, "", 0, b"")
    }

    /// Adds a symbolic (`2`) or hard (`1`) link.
    pub fn link(self, kind: u8, path: &str, target: &str) -> Self {
        self.entry(kind, path, target, 0, b"")
    }

    /// Adds a PAX header whose records speak of the next entry.
    pub fn pax(self, records: &[(&str, &str)]) -> Self {
        let body: String = records.iter().map(|(key, value)| record(key, value)).collect();
        self.entry(b'x', "PaxHeaders/entry", "", body.len() as u64, body.as_bytes())
    }

    /// Adds an entry of any type that claims any size, with what content there is.
    pub fn entry(mut self, kind: u8, path: &str, link: &str, claimed: u64, content: &[u8]) -> Self {
        self.0.extend_from_slice(&header(kind, path, link, claimed));
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// Adds bytes as they are.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The archive with its end.
    pub fn end(self) -> Vec<u8> {
        self.bytes(&[0; 1024]).0
    }

    /// The archive without an end.
    pub fn unended(self) -> Vec<u8> {
        self.0
    }
}

/// A PAX record, whose length counts itself.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

/// A header block with a right checksum; a name that is too long for it goes into an extension before it.
fn header(kind: u8, path: &str, link: &str, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if path.len() > 100 {
        bytes.extend(header(b'L', "././@LongLink", "", path.len() as u64));
        bytes.extend_from_slice(path.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    let mut header = tar::Header::new_gnu();
    let short = &path.as_bytes()[..path.len().min(100)];
    header.as_mut_bytes()[..short.len()].copy_from_slice(short);
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    bytes
}
