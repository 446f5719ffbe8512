//! Header blocks, with the liberties that writers have taken with them and that GNU tar, Python and Go read.

use crate::domain::{Error, Result};

pub(super) const BLOCK: usize = 512;

/// The place of the checksum in a header.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// One header block whose checksum is right.
pub(super) struct Header(pub(super) [u8; BLOCK]);

impl Header {
    /// Reads a block; `None` where its checksum is wrong.
    pub(super) fn read(block: [u8; BLOCK]) -> Option<Self> {
        if block[CHECKSUM.start] & 0x80 != 0 {
            return None;
        }
        let claimed = number(&block[CHECKSUM])?.cast_signed();
        let (mut unsigned, mut signed) = (0i64, 0i64);
        for (at, byte) in block.iter().enumerate() {
            let byte = if CHECKSUM.contains(&at) { b' ' } else { *byte };
            unsigned += i64::from(byte);
            // Some old writers summed what their machines took for signed.
            signed += i64::from(byte.cast_signed());
        }
        (claimed == unsigned || claimed == signed).then_some(Self(block))
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }

    /// The size that the header claims; what follows need not be that long.
    pub(super) fn size(&self) -> Result<u64> {
        number(&self.0[124..136]).ok_or_else(|| Error::invalid("archive has a malformed size"))
    }

    /// The path, with its prefix in the form of POSIX.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = match &self.0[257..263] {
            b"ustar\0" => text(&self.0[345..500]),
            // GNU tar has other things there.
            _ => &[],
        };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }
}

/// What stands before the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A numeric field: octal digits among blanks, nothing at all for 0, or base 256 as GNU tar writes it; `None` where it is
/// neither. A negative number, or one too large for 64 bits, is larger than anything that can follow.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_at(field.len() - 8);
        let fits = high[0] == 0x80 && high[1..].iter().all(|byte| *byte == 0);
        let low = low.iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        return Some(if fits { low } else { u64::MAX });
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let digits = field.iter().skip_while(|byte| is_blank(byte)).take_while(|byte| !is_blank(byte));
    digits.into_iter().try_fold(0u64, |sum, byte| match byte {
        // Twelve digits do not overflow.
        b'0'..=b'7' => Some((sum << 3) | u64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_writers_have_written_them() {
        for (field, expected) in [
            (&b"00000000017\0"[..], Some(15)),
            (b"         17 ", Some(15)),
            (b"17 \0garbage!", Some(15)),
            (b"\0\0\0\0\0\0\0\0\0\0\0\0", Some(0)),
            (b"            ", Some(0)),
            (b"777777777777", Some((8 << 33) - 1)),
            (b"0000000008\0\0", None),
            (b"-00000000001", None),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\x05", Some((8 << 30) + 5)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfb", Some(u64::MAX)),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", Some(u64::MAX)),
        ] {
            assert_eq!(number(field), expected, "{field:?}");
        }
    }
}
