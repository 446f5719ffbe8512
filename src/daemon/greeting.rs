//! What someone who starts the daemon by hand sees: how to reach it.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Prints how to reach the daemon, if standard error is a terminal. A service manager's log has no use for it.
pub fn on_terminal(sockets: &[&Path]) {
    let mut out = io::stderr().lock();
    if let (true, Some(socket)) = (out.is_terminal(), sockets.first()) {
        // Clients may run in any directory.
        let socket = std::path::absolute(socket).unwrap_or_else(|_| PathBuf::from(socket));
        let _ = out.write_all(text(&socket).as_bytes());
    }
}

fn text(socket: &Path) -> String {
    let host = quoted(&format!("unix://{}", socket.display()));
    format!(
        "\n  Loadline is running. To use it from another terminal:\n\n    export DOCKER_HOST={host}\n    docker image ls\n\n"
    )
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:._-+@%".contains(c);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_can_be_pasted_into_a_shell() {
        assert!(text(Path::new("/run/a.sock")).contains("    export DOCKER_HOST=unix:///run/a.sock\n"));
        assert!(text(Path::new("/run/it's me")).contains(r"    export DOCKER_HOST='unix:///run/it'\''s me'"));
    }
}
