//! How large a message may be, either way.

use tonic::{Code, Response, Status};

/// The most bytes of one message, of a client's or of ours: as much as containerd's clients and kubelet take. Generated
/// servers are made with it (`tests/checks/protobuf.rs`).
pub const MAX_MESSAGE: usize = 16 << 20;

/// An answer in one message, for calls whose answer grows with what is stored.
///
/// # Errors
/// `RESOURCE_EXHAUSTED` where it has more than [`MAX_MESSAGE`] bytes. The advice says what the client can do then, as in
/// "narrow it down with filters".
pub fn one_message<M: prost::Message>(message: M, advice: &str) -> Result<Response<M>, Status> {
    let bytes = message.encoded_len();
    if bytes > MAX_MESSAGE {
        return Err(Status::resource_exhausted(format!(
            "the answer has {bytes} bytes, and a message may have {MAX_MESSAGE}: {advice}"
        )));
    }
    Ok(Response::new(message))
}

/// What tonic says of a message over the limit, in the code that gRPC has for it and with what to do. `None` for any
/// other status.
pub(super) fn over_limit(code: Code, text: &str) -> Option<String> {
    if code != Code::OutOfRange || !text.starts_with("Error, ") || !text.contains("coded message length too large") {
        return None;
    }
    Some(if text.contains("decoded") {
        format!("a message may have {MAX_MESSAGE} bytes, and one of the request has more: send smaller ones")
    } else {
        format!("a message may have {MAX_MESSAGE} bytes, and the answer has more: ask for less at a time")
    })
}
