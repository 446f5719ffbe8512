//! One frame of a zstd file.

use std::io::{self, BufRead, Read};

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

/// The largest window that is decoded, as a power of two: what `zstd --ultra -22` needs.
const WINDOW_LOG: u32 = 27;

/// What one frame holds; nothing, if it is one to skip. Not a byte behind it is used.
pub(super) struct ZstdFrame<B> {
    source: B,
    decoder: Decoder<'static>,
    is_over: bool,
}

impl<B: BufRead> ZstdFrame<B> {
    pub(super) fn new(source: B) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
        Ok(Self { source, decoder, is_over: false })
    }

    /// The same with a decoder that has done another frame.
    pub(super) fn with(mut decoder: Decoder<'static>, source: B) -> io::Result<Self> {
        decoder.reinit()?;
        Ok(Self { source, decoder, is_over: false })
    }

    pub(super) fn into_parts(self) -> (B, Decoder<'static>) {
        (self.source, self.decoder)
    }
}

impl<B: BufRead> Read for ZstdFrame<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_over {
            let mut input = InBuffer::around(self.source.fill_buf()?);
            let is_end = input.src.is_empty();
            let mut output = OutBuffer::around(buffer);
            let hint = self.decoder.run(&mut input, &mut output)?;
            let (used, made) = (input.pos(), output.pos());
            self.source.consume(used);
            self.is_over = hint == 0;
            if made > 0 {
                return Ok(made);
            }
            if is_end && !self.is_over {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}
