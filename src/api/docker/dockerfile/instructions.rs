//! What each instruction changes.

use super::lines::{self, Line};
use super::words::{self, Shell};
use crate::api::docker::filters::parse_duration;
use crate::domain::runtime_config::{Healthcheck, Present, RuntimeConfig};
use crate::domain::{Error, Result};

/// The shortest time between checks, in nanoseconds.
const MIN_INTERVAL: i64 = 1_000_000;

/// The names of Linux's signals, without `SIG`; real-time signals are counted from their ends.
const SIGNALS: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
    "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];

/// A configuration while instructions are applied to it.
pub(super) struct State {
    pub(super) config: RuntimeConfig,
    os: String,
    shell: Shell,
    /// Whether there was a command of its own, which an entry point then keeps.
    has_command: bool,
}

/// How a command is given.
enum Command {
    /// As a list of arguments, in JSON.
    Exec(Vec<String>),
    /// As a text for a shell.
    Shell(String),
    Absent,
}

impl State {
    pub(super) fn new(os: &str, escape: char) -> Self {
        Self { config: RuntimeConfig::default(), os: os.to_owned(), shell: Shell::new(escape), has_command: false }
    }

    /// Applies one instruction.
    pub(super) fn apply(&mut self, line: &Line) -> Result<()> {
        let keyword = line.keyword.to_uppercase();
        match keyword.as_str() {
            "HEALTHCHECK" => return self.healthcheck(line),
            "CMD" | "ENTRYPOINT" | "ENV" | "EXPOSE" | "LABEL" | "ONBUILD" | "STOPSIGNAL" | "USER" | "VOLUME"
            | "WORKDIR" => {}
            _ => return Err(Error::invalid(format!("{} is not a valid change command", line.keyword))),
        }
        Flags::read(line, &[])?;
        match keyword.as_str() {
            "CMD" => {
                let command = command(&line.rest)?;
                self.has_command = !matches!(&command, Command::Absent)
                    && !matches!(&command, Command::Exec(arguments) if arguments.is_empty())
                    || self.has_command;
                self.config.cmd = match command {
                    Command::Absent => self.default_shell(),
                    command => self.resolved(command),
                };
            }
            "ENTRYPOINT" => {
                self.config.entrypoint = self.resolved(command(&line.rest)?);
                if !self.has_command {
                    self.config.cmd.clear();
                }
            }
            "ENV" => {
                let variables = self.config.env.clone();
                for (name, value) in self.pairs("ENV", line)? {
                    let name = self.shell.word(&name, &variables)?;
                    let value = self.shell.word(&value, &variables)?;
                    self.set_variable(&name, &value);
                }
            }
            "LABEL" => {
                for (name, value) in self.pairs("LABEL", line)? {
                    let (name, value) = (self.expand(&name)?, self.expand(&value)?);
                    self.config.labels.insert(name, value);
                }
            }
            "EXPOSE" => self.expose(line)?,
            "ONBUILD" => self.on_build(line)?,
            "STOPSIGNAL" => {
                let signal = self.expand(one(&keyword, line)?)?;
                if self.os == "windows" {
                    let text = "The daemon on this platform does not support the command stopsignal";
                    return Err(Error::invalid(text));
                }
                if !is_signal(&signal) {
                    return Err(Error::invalid(format!("invalid signal: {signal}")));
                }
                self.config.stop_signal = signal;
            }
            "USER" => self.config.user = self.expand(one(&keyword, line)?)?,
            "WORKDIR" => {
                let path = self.expand(one(&keyword, line)?)?;
                if path.is_empty() {
                    return Err(Error::invalid("WORKDIR comes to an empty path"));
                }
                let path = if path.starts_with('/') { path } else { format!("{}/{path}", self.config.working_dir) };
                self.config.working_dir = clean(&path);
            }
            _ => self.volume(line)?,
        }
        Ok(())
    }

    fn expand(&mut self, text: &str) -> Result<String> {
        self.shell.word(text, &self.config.env)
    }

    fn default_shell(&self) -> Vec<String> {
        let shell: &[&str] = if self.os == "linux" { &["/bin/sh", "-c"] } else { &["cmd", "/S", "/C"] };
        shell.iter().map(|word| (*word).to_owned()).collect()
    }

    fn resolved(&self, command: Command) -> Vec<String> {
        match command {
            Command::Exec(arguments) => arguments,
            Command::Shell(text) => {
                let mut arguments = self.default_shell();
                arguments.push(text);
                arguments
            }
            Command::Absent => Vec::new(),
        }
    }

    /// The names and values of `ENV` and `LABEL`: `name=value …`, or the older `name value`.
    fn pairs(&self, keyword: &str, line: &Line) -> Result<Vec<(String, String)>> {
        let words = words::assignments(&line.rest, self.shell.escape);
        let pairs = match words.first() {
            None => return Err(Error::invalid(format!("{keyword} requires at least one argument"))),
            Some(first) if !first.contains('=') => match lines::cut(&line.rest) {
                Some((name, value)) => vec![(name.to_owned(), value.to_owned())],
                None => return Err(Error::invalid(format!("{keyword} must have two arguments"))),
            },
            Some(_) => words.iter().map(|word| assignment(word)).collect::<Result<_>>()?,
        };
        if pairs.iter().any(|(name, _)| name.is_empty()) {
            return Err(Error::invalid(format!("{keyword} names can not be blank")));
        }
        Ok(pairs)
    }

    fn set_variable(&mut self, name: &str, value: &str) {
        let variable = format!("{name}={value}");
        let known = |own: &&mut String| own.split('=').next() == Some(name);
        match self.config.env.iter_mut().find(known) {
            Some(own) => *own = variable,
            None => self.config.env.push(variable),
        }
    }

    fn expose(&mut self, line: &Line) -> Result<()> {
        let given = lines::words(&line.rest);
        if given.is_empty() {
            return Err(Error::invalid("EXPOSE requires at least one argument"));
        }
        for text in given {
            for port in self.shell.words(&text, &self.config.env)? {
                let (first, last, protocol) = ports(&port)?;
                let ports = (first..=last).map(|port| (format!("{port}/{protocol}"), Present {}));
                self.config.exposed_ports.extend(ports);
            }
        }
        Ok(())
    }

    fn volume(&mut self, line: &Line) -> Result<()> {
        let given = match json(&line.rest)? {
            Some(given) => given,
            None => lines::words(&line.rest),
        };
        if given.is_empty() {
            return Err(Error::invalid("VOLUME requires at least one argument"));
        }
        for path in given {
            let path = self.expand(path.trim())?;
            if path.is_empty() {
                return Err(Error::invalid("VOLUME specified can not be an empty string"));
            }
            self.config.volumes.insert(path, Present {});
        }
        Ok(())
    }

    fn on_build(&mut self, line: &Line) -> Result<()> {
        if line.rest.is_empty() {
            return Err(Error::invalid("ONBUILD requires at least one argument"));
        }
        let trigger = lines::split(&line.rest);
        let keyword = trigger.keyword.to_uppercase();
        match keyword.as_str() {
            "ONBUILD" => return Err(Error::invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")),
            "FROM" | "MAINTAINER" => {
                return Err(Error::invalid(format!("{keyword} isn't allowed as an ONBUILD trigger")));
            }
            "RUN" | "COPY" | "ADD" if trigger.rest.contains("<<") => {
                return Err(Error::invalid("here-documents are not supported in changes"));
            }
            // What is run later is not looked into now, but for this.
            "ADD" | "CMD" | "COPY" | "ENTRYPOINT" | "RUN" | "SHELL" | "VOLUME" => drop(json(&trigger.rest)?),
            _ => {}
        }
        let written = line.text.trim_start();
        // Longer than the keyword, or there would be no trigger.
        let instruction = written.get("ONBUILD".len()..).unwrap_or_default().trim_start();
        self.config.on_build.push(instruction.to_owned());
        Ok(())
    }

    fn healthcheck(&mut self, line: &Line) -> Result<()> {
        let (kind, rest) = match line.rest.split_once(char::is_whitespace) {
            Some((kind, rest)) => (kind.to_uppercase(), rest.trim_start()),
            None => (line.rest.to_uppercase(), ""),
        };
        let mut check = Healthcheck::default();
        match kind.as_str() {
            "" => return Err(Error::invalid("HEALTHCHECK requires at least one argument")),
            "NONE" if rest.is_empty() => check.test = vec![kind],
            "NONE" => return Err(Error::invalid("HEALTHCHECK NONE takes no arguments")),
            "CMD" => {
                let flags = Flags::read(line, &["interval", "timeout", "start-period", "start-interval", "retries"])?;
                check.test = match command(rest)? {
                    Command::Exec(arguments) if !arguments.is_empty() => {
                        std::iter::once(kind).chain(arguments).collect()
                    }
                    Command::Shell(text) => vec!["CMD-SHELL".to_owned(), text],
                    _ => return Err(Error::invalid("Missing command after HEALTHCHECK CMD")),
                };
                check.interval = flags.duration("interval")?;
                check.timeout = flags.duration("timeout")?;
                check.start_period = flags.duration("start-period")?;
                check.start_interval = flags.duration("start-interval")?;
                check.retries = flags.count("retries")?;
            }
            _ => return Err(Error::invalid(format!("Unknown type {kind:?} in HEALTHCHECK (try CMD)"))),
        }
        self.config.healthcheck = Some(check);
        Ok(())
    }
}

/// The flags of an instruction: `--name=value`, each once.
struct Flags<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Flags<'a> {
    fn read(line: &'a Line, known: &[&str]) -> Result<Self> {
        let mut read: Vec<(&str, &str)> = Vec::new();
        for flag in &line.flags {
            let flag = flag.strip_prefix("--").unwrap_or(flag);
            let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
            if !known.contains(&name) {
                return Err(Error::invalid(format!("unknown flag: --{name}")));
            }
            if read.iter().any(|(own, _)| *own == name) {
                return Err(Error::invalid(format!("duplicate flag specified: --{name}")));
            }
            let value = value.ok_or_else(|| Error::invalid(format!("missing a value on flag: --{name}")))?;
            read.push((name, value));
        }
        Ok(Self(read))
    }

    fn get(&self, name: &str) -> &'a str {
        self.0.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }

    /// Nanoseconds; 0 where it is not given.
    fn duration(&self, name: &str) -> Result<i64> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(0);
        }
        let duration = parse_duration(text).and_then(|duration| i64::try_from(duration.as_nanos()).ok());
        match duration.ok_or_else(|| Error::invalid(format!("invalid duration {text:?} in --{name}")))? {
            0 => Ok(0),
            nanoseconds if nanoseconds < MIN_INTERVAL => {
                Err(Error::invalid(format!("Interval {name:?} cannot be less than 1ms")))
            }
            nanoseconds => Ok(nanoseconds),
        }
    }

    fn count(&self, name: &str) -> Result<i64> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(0);
        }
        match text.parse::<i32>() {
            Ok(count) if count < 0 => Err(Error::invalid(format!("--{name} cannot be negative ({count})"))),
            Ok(count) => Ok(count.into()),
            Err(cause) => Err(Error::invalid(format!("invalid number {text:?} in --{name}")).with_cause(cause)),
        }
    }
}

fn one<'a>(keyword: &str, line: &'a Line) -> Result<&'a str> {
    match line.rest.as_str() {
        "" => Err(Error::invalid(format!("{keyword} requires exactly one argument"))),
        argument => Ok(argument),
    }
}

fn assignment(word: &str) -> Result<(String, String)> {
    match word.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => {
            let text = format!("Syntax error - can't find = in {word:?}. Must be of the form: name=value");
            Err(Error::invalid(text))
        }
    }
}

/// A list of texts in JSON; `None` where the text is none, which is then meant otherwise.
///
/// # Errors
/// `InvalidArgument` for a list of anything else: nobody means that otherwise.
fn json(text: &str) -> Result<Option<Vec<String>>> {
    if !text.starts_with('[') {
        return Ok(None);
    }
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return Ok(None) };
    let texts = values.into_iter().map(|value| match value {
        serde_json::Value::String(text) => Ok(text),
        _ => Err(Error::invalid("when using JSON array syntax, arrays must be comprised of strings only")),
    });
    texts.collect::<Result<_>>().map(Some)
}

fn command(text: &str) -> Result<Command> {
    Ok(match json(text)? {
        Some(arguments) => Command::Exec(arguments),
        None if text.is_empty() => Command::Absent,
        None => Command::Shell(text.to_owned()),
    })
}

/// Whether a text is a signal's name, with or without `SIG`, or any number but 0.
fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<i64>() {
        return number != 0;
    }
    let name = text.to_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    // Of the 31 real-time signals, 15 are counted up and 14 down.
    let counted = |prefix: &str, most: u8| {
        let count = name.strip_prefix(prefix).filter(|count| !count.starts_with('0') && !count.starts_with('+'));
        count.is_some_and(|count| count.parse::<u8>().is_ok_and(|count| count <= most))
    };
    SIGNALS.contains(&name) || counted("RTMIN+", 15) || counted("RTMAX-", 14)
}

/// The ports of `[[address:]port:]port[-port][/protocol]`, of which those of the container count.
fn ports(text: &str) -> Result<(u16, u16, String)> {
    let mut parts = text.rsplitn(3, ':');
    let (own, host, address) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let (own, protocol) = own.split_once('/').unwrap_or((own, ""));
    if own.is_empty() {
        return Err(Error::invalid(format!("no port specified: {text}<empty>")));
    }
    let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_lowercase() };
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(Error::invalid(format!("invalid proto: {protocol}")));
    }
    if let Some(address) = address.filter(|address| !address.is_empty()) {
        let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
        if bare.parse::<std::net::IpAddr>().is_err() {
            return Err(Error::invalid(format!("invalid IP address: {address}")));
        }
    }
    let range = range(own).ok_or_else(|| Error::invalid(format!("invalid containerPort: {own}")))?;
    if let Some(host) = host.filter(|host| !host.is_empty()) {
        let of_host = self::range(host).ok_or_else(|| Error::invalid(format!("invalid hostPort: {host}")))?;
        if range.1 != range.0 && range.1 - range.0 != of_host.1 - of_host.0 {
            let text = format!("invalid ranges specified for container and host Ports: {own} and {host}");
            return Err(Error::invalid(text));
        }
    }
    Ok((range.0, range.1, protocol))
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

/// An absolute path without empty parts, `.` and `..`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
