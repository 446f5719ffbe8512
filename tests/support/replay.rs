//! Sends recorded requests to the daemon and holds its answers against those of a real Docker Engine.
//!
//! Compared are status, the headers in [`HEADERS`] and the body: JSON key by key, streams of messages by what stands
//! outside of a layer's progress and by each layer's last status, archives by their members, text exactly. What no two
//! daemons can agree on ([`VOLATILE`]) is compared by type, and so are sizes that depend on whether layers are unpacked
//! ([`STORE_SIZES`]), which must add up besides. A digest that no fixture holds was made by the recorded engine: ours
//! may be another, but must be the same one in every step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use loadline::api::docker::versions::NEWEST_TEXT;
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::http::{Answer, Client, Request};

/// The newest API version of the recorded engine. Each engine tells its own.
const RECORDED_NEWEST: &str = "1.56";

const HEADERS: &[&str] = &["content-type", "api-version", "ostype", "docker-experimental", "location"];

const VOLATILE: &[&str] = &[
    "LastTagTime",
    "time",
    "timeNano",
    "ServerVersion",
    "Version",
    "GitCommit",
    "BuildTime",
    "KernelVersion",
    "SystemTime",
    "Name",
    "GoVersion",
    "NGoroutines",
    "NFd",
    "MemTotal",
    "NCPU",
    "DockerRootDir",
    "OperatingSystem",
    "OSVersion",
];

/// Keys of ours that Docker Engine does not have.
const EXTENSIONS: &[&str] = &["Statements", "Verification"];

const STORE_SIZES: &[&str] = &[
    "Size",
    "VirtualSize",
    "SharedSize",
    "Total",
    "Unpacked",
    "LayersSize",
    "SpaceReclaimed",
    "TotalSize",
    "Reclaimable",
];

/// A recorded request with the recorded answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub id: String,
    pub method: String,
    /// `{now}` in it is the Unix time one second ahead.
    pub path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    /// Relative to the recording.
    body_file: Option<PathBuf>,
    /// Whether a good answer is an archive.
    #[serde(default)]
    archive: bool,
    /// Keys that change from run to run in this step alone.
    #[serde(default)]
    volatile: Vec<String>,
    answer: Map<String, Value>,
}

/// A recording, and what was learnt while it is replayed.
pub struct Replay {
    pub steps: Vec<Step>,
    directory: PathBuf,
    known: Known,
}

impl Replay {
    /// Reads a recording; the fixtures stand in `../fixtures` beside it.
    pub fn read(recording: &Path) -> Self {
        Self::read_with(recording, &[])
    }

    /// The same with texts in place of others, such as the port of a registry.
    pub fn read_with(recording: &Path, replaced: &[(&str, &str)]) -> Self {
        let directory = recording.parent().unwrap().to_owned();
        let mut text = std::fs::read_to_string(recording).unwrap();
        for (from, to) in replaced {
            text = text.replace(from, to);
        }
        let steps = serde_json::from_str(&text).unwrap();
        let known = Known::from_fixtures(&directory.join("../fixtures"));
        Self { steps, directory, known }
    }

    /// Sends every step in order: the steps' ids with their differences, each as `place: text`.
    pub fn run(mut self, client: &Client) -> Vec<(String, Vec<String>)> {
        let mut results = Vec::new();
        for step in &self.steps {
            let differences = match client.try_send(&step.request(&self.directory)) {
                Ok(answer) => differences(step, &settle(step, &answer), &mut self.known),
                Err(error) => vec![format!("no answer: {error}")],
            };
            results.push((step.id.clone(), differences));
        }
        results
    }
}

impl Step {
    fn request(&self, directory: &Path) -> Request {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 1;
        let mut request = Request::new(&self.method, &self.path.replace("{now}", &now.to_string()));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let (body, content_type) = match (&self.body_file, &self.body) {
            (Some(file), _) => (std::fs::read(directory.join(file)).unwrap(), "application/x-tar"),
            (None, Some(body)) => (body.to_string().into_bytes(), "application/json"),
            (None, None) => return request,
        };
        if !request.has_header("content-type") {
            request = request.header("content-type", content_type);
        }
        request.body(body)
    }
}

/// Which digests the fixtures hold, whole and by their first twelve digits, and which digest of this daemon stands for which recorded one.
struct Known {
    digests: HashSet<String>,
    alias: HashMap<String, String>,
    digest: Regex,
    newest_version: Regex,
}

impl Known {
    fn from_fixtures(directory: &Path) -> Self {
        let digest = Regex::new(r"(?:sha256:)?\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b").unwrap();
        let mut digests = HashSet::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "tar") {
                continue;
            }
            for (_, data) in members(&std::fs::read(path).unwrap()).unwrap() {
                digests.insert(sha256(&data));
                if matches!(data.first(), Some(b'{' | b'[')) {
                    let text = String::from_utf8_lossy(&data);
                    digests.extend(digest.find_iter(&text).map(|found| hex(found.as_str()).to_owned()));
                }
            }
        }
        let short: Vec<String> = digests.iter().filter_map(|digest| Some(digest.get(..12)?.to_owned())).collect();
        digests.extend(short);
        assert!(!digests.is_empty(), "no fixtures in {}", directory.display());
        let newest = [RECORDED_NEWEST, NEWEST_TEXT].map(regex_lite::escape).join("|");
        let newest_version = Regex::new(&format!(r"\b(?:{newest})\b")).unwrap();
        Self { digests, alias: HashMap::new(), digest, newest_version }
    }

    fn contains(&self, digest: &str) -> bool {
        self.digests.contains(hex(digest))
    }

    fn version_masked(&self, text: &str) -> String {
        self.newest_version.replace_all(text, "<newest API version>").into_owned()
    }

    /// The text with each digest that no fixture holds, and the newest API version, replaced by words.
    fn mask(&self, text: &str) -> String {
        let mut masked = String::new();
        let mut end = 0;
        for found in self.digest.find_iter(text) {
            masked.push_str(&text[end..found.start()]);
            masked.push_str(if self.contains(found.as_str()) { found.as_str() } else { "<made by the daemon>" });
            end = found.end();
        }
        masked.push_str(&text[end..]);
        self.version_masked(&masked)
    }

    /// Whether two texts agree but for digests made by the daemons, each always the same.
    fn same(&mut self, want: &str, got: &str) -> bool {
        if self.mask(want) != self.mask(got) {
            return false;
        }
        let mut same = true;
        let pairs: Vec<(&str, &str)> = self
            .digest
            .find_iter(want)
            .zip(self.digest.find_iter(got))
            .map(|(want, got)| (want.as_str(), got.as_str()))
            .collect();
        for (want, got) in pairs {
            if !self.contains(want) {
                same &= self.alias.entry(hex(want).into()).or_insert_with(|| hex(got).into()) == hex(got);
            }
        }
        same
    }
}

fn hex(digest: &str) -> &str {
    digest.get(digest.len().saturating_sub(64)..).unwrap_or_default()
}

fn sha256(data: &[u8]) -> String {
    Sha256::digest(data).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The regular files of an archive.
fn members(archive: &[u8]) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let mut data = Vec::new();
            entry.read_to_end(&mut data)?;
            found.push((name, data));
        }
    }
    Ok(found)
}

/// An answer in the form of the recording: `status`, `headers` and one of `json`, `stream`, `text`, `members`.
fn settle(step: &Step, answer: &Answer) -> Map<String, Value> {
    let mut headers: Map<String, Value> = answer
        .headers
        .iter()
        .filter(|(name, _)| HEADERS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    headers.entry("content-type").or_insert_with(|| "".into());
    let mut got = Map::from_iter([("status".into(), answer.status.into()), ("headers".into(), headers.into())]);
    let (kind, body) =
        if step.archive && answer.status == 200 { archive_body(&answer.body) } else { plain_body(&answer.body) };
    got.insert(kind.into(), body);
    got
}

fn archive_body(body: &[u8]) -> (&'static str, Value) {
    match members(body) {
        Ok(members) => (
            "members",
            members.into_iter().map(|(name, data)| (name, sha256(&data).into())).collect::<Map<_, _>>().into(),
        ),
        Err(error) => ("text", format!("not an archive: {error}").into()),
    }
}

fn plain_body(body: &[u8]) -> (&'static str, Value) {
    // The record separator of JSON text sequences (RFC 7464).
    let text = String::from_utf8_lossy(body).replace('\u{1e}', "");
    if let Ok(json) = serde_json::from_str(&text) {
        return ("json", json);
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    match lines.map(serde_json::from_str).collect::<Result<Vec<Value>, _>>() {
        Ok(messages) => ("stream", messages.into()),
        Err(_) => ("text", text.into()),
    }
}

fn differences(step: &Step, got: &Map<String, Value>, known: &mut Known) -> Vec<String> {
    let want = &step.answer;
    let mut out = Vec::new();
    if want["status"] != got["status"] {
        out.push(format!("status: {}, recorded {}", got["status"], want["status"]));
    }
    for (name, value) in want["headers"].as_object().unwrap() {
        let (want, got) =
            (value.as_str().unwrap(), got["headers"].get(name).and_then(Value::as_str).unwrap_or_default());
        if known.version_masked(want) != known.version_masked(got) {
            out.push(format!("header {name}: {got:?}, recorded {want:?}"));
        }
    }
    if let Some(want) = want.get("members") {
        compare_members(want.as_object().unwrap(), got, &mut out, known);
    }
    if let Some(want) = want.get("stream") {
        let messages = match (got.get("stream"), got.get("json"), got.get("text")) {
            (Some(stream), ..) => stream.as_array().unwrap().clone(),
            (None, Some(json), _) => vec![json.clone()],
            (None, None, text) => vec![serde_json::json!({"text": text})],
        };
        compare(&settled(want.as_array().unwrap()), &settled(&messages), "stream", &mut out, known);
    }
    for kind in ["json", "text"] {
        let Some(want) = want.get(kind) else { continue };
        let Some(got) = got.get(kind) else {
            let other = got.get("text").or(got.get("stream")).map(Value::to_string).unwrap_or_default();
            out.push(format!("body: not {kind}: {}", short(&other)));
            continue;
        };
        if !newest_first(got) {
            out.push("body: images are not ordered newest first".into());
        }
        compare(&sorted(want, known), &sorted(got, known), "body", &mut out, known);
    }
    out.retain(|line| !step.volatile.iter().any(|name| line.contains(&format!(".{name}:"))));
    out
}

fn compare_members(want: &Map<String, Value>, got: &Map<String, Value>, out: &mut Vec<String>, known: &Known) {
    let none = Map::new();
    let members = got.get("members").and_then(Value::as_object).unwrap_or(&none);
    for (name, digest) in want {
        let expected = if name.starts_with("blobs/") {
            known.contains(digest.as_str().unwrap()) && members.get(name) != Some(digest)
        } else {
            matches!(name.as_str(), "index.json" | "oci-layout" | "manifest.json") && !members.contains_key(name)
        };
        if expected {
            let what = if members.contains_key(name) { "not what its name says" } else { "missing" };
            out.push(format!("archive: {name} is {what}"));
        }
    }
    out.extend(got.get("text").map(|text| format!("archive: {text}")));
}

fn newest_first(list: &Value) -> bool {
    let images = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let created =
        images.iter().filter(|image| image.get("RepoTags").is_some()).filter_map(|image| image.get("Created"));
    created.map(|time| -time.as_i64().unwrap_or_default()).is_sorted()
}

/// A manifest's total is its content plus what is unpacked; a listed image's size is the sum of its manifests' totals.
fn check_sums(got: &Map<String, Value>, place: &str, out: &mut Vec<String>) {
    let number = |value: Option<&Value>| value.and_then(Value::as_i64);
    let size = got.get("Size");
    if let (Some(total), Some(content)) =
        (number(size.and_then(|size| size.get("Total"))), number(size.and_then(|size| size.get("Content"))))
    {
        let unpacked = number(got.get("ImageData").and_then(|data| data.get("Size")?.get("Unpacked"))).unwrap_or(0);
        if total != content + unpacked {
            out.push(format!("{place}.Size.Total: {total} is not {content} + {unpacked}"));
        }
    }
    let manifests = got.get("Manifests").and_then(Value::as_array).filter(|manifests| !manifests.is_empty());
    if let (true, Some(manifests)) = (got.contains_key("SharedSize"), manifests) {
        let total: i64 = manifests.iter().filter_map(|manifest| manifest.pointer("/Size/Total")?.as_i64()).sum();
        if number(size) != Some(total) {
            out.push(format!("{place}.Size: {size:?} is not the sum of its manifests, {total}"));
        }
    }
}

fn compare(want: &Value, got: &Value, place: &str, out: &mut Vec<String>, known: &mut Known) {
    let key = place.rsplit('.').next().unwrap_or_default();
    let key = key.split('[').next().unwrap_or_default();
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => compare_objects(want, got, place, out, known),
        (Value::Array(want), Value::Array(got)) => {
            if want.len() != got.len() {
                out.push(format!("{place}: {} items, recorded {}", got.len(), want.len()));
            }
            for (index, (want, got)) in want.iter().zip(got).enumerate() {
                compare(want, got, &format!("{place}[{index}]"), out, known);
            }
        }
        _ if VOLATILE.contains(&key) || STORE_SIZES.contains(&key) => {
            if kind(want) != kind(got) {
                out.push(format!("{place}: {}, recorded {}", kind(got), kind(want)));
            }
        }
        (Value::String(want), Value::String(got)) if known.same(want, got) => {}
        _ if want == got => {}
        _ => out.push(format!("{place}: {}, recorded {}", short(&got.to_string()), short(&want.to_string()))),
    }
}

fn compare_objects(
    want: &Map<String, Value>,
    got: &Map<String, Value>,
    place: &str,
    out: &mut Vec<String>,
    known: &mut Known,
) {
    // The size of what the daemon wrote itself is as free as its digest.
    let made = want.get("digest").is_some_and(|digest| !known.contains(digest.as_str().unwrap_or_default()));
    let counts = |key: &str| !(made && key == "size");
    for (key, value) in want.iter().filter(|(key, _)| counts(key)) {
        match got.get(key) {
            Some(got) => compare(value, got, &format!("{place}.{key}"), out, known),
            None => out.push(format!("{place}.{key}: missing (recorded {})", short(&value.to_string()))),
        }
    }
    for (key, value) in got.iter().filter(|(key, _)| counts(key)) {
        if !want.contains_key(key) && !EXTENSIONS.contains(&key.as_str()) {
            out.push(format!("{place}.{key}: not in the recording: {}", short(&value.to_string())));
        }
    }
    check_sums(got, place, out);
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn short(text: &str) -> String {
    text.chars().take(160).collect()
}

/// The value with what the API does not order in an order: tags, digests, images, what a prune removed.
fn sorted(value: &Value, known: &Known) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match (key.as_str(), value) {
                ("RepoTags" | "RepoDigests", Value::Array(items)) => {
                    let mut items = items.clone();
                    items.sort_by_key(Value::to_string);
                    (key.clone(), items.into())
                }
                _ => (key.clone(), sorted(value, known)),
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| sorted(item, known)).collect();
            let every = |test: &dyn Fn(&Map<String, Value>) -> bool| {
                !items.is_empty() && items.iter().all(|item| item.as_object().is_some_and(test))
            };
            if every(&|item| item.contains_key("Id") && item.contains_key("RepoTags")) {
                let tags = |item: &Value| match item["RepoTags"].as_array() {
                    Some(tags) if !tags.is_empty() => tags.iter().map(Value::to_string).collect(),
                    _ => vec![String::new()],
                };
                items.sort_by_cached_key(|item| (tags(item), item["Id"].to_string()));
            } else if every(&|item| item.keys().all(|key| key == "Untagged" || key == "Deleted")) {
                items.sort_by_cached_key(|item| known.mask(&item.to_string()));
            }
            items.into()
        }
        other => other.clone(),
    }
}

/// The messages that are no layer's progress, in order, then the last status of each layer.
fn settled(stream: &[Value]) -> Value {
    let (mut messages, mut layers) = (Vec::new(), BTreeMap::new());
    for message in stream {
        let Some(members) = message.as_object() else {
            messages.push(message.clone());
            continue;
        };
        let mut plain = members.clone();
        plain.remove("progress");
        let progress = plain.remove("progressDetail").is_some();
        match members.get("id") {
            Some(id) if progress => drop(layers.insert(id.to_string(), Value::from(plain))),
            _ if plain.is_empty() => {}
            _ => messages.push(plain.into()),
        }
    }
    messages.extend(layers.into_values());
    messages.into()
}

#[cfg(test)]
#[path = "replay_test.rs"]
mod tests;
