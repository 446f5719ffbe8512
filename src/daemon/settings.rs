//! Every setting, declared once: its flag with its help, and its key in the configuration file.
//!
//! A setting is a field here. What it means, its default and what it must look like is said where
//! [`Config`](super::config::Config) is made.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde::Deserialize;

/// Declares a struct of options, each of which may be given in one of two places, and how two of them are joined.
macro_rules! settings {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$meta:meta])* pub $field:ident: Option<$type:ty>,)+ }) => {
        $(#[$about])*
        pub struct $name { $($(#[$meta])* pub $field: Option<$type>,)+ }

        impl $name {
            /// The keys in the configuration file, in the order of the fields.
            pub fn keys() -> impl Iterator<Item = String> {
                [$(stringify!($field)),+].into_iter().map(|field| field.replace('_', "-"))
            }

            /// What flags give, or else the configuration file. dockerd refuses to choose where both do, lists included,
            /// so that neither is ignored in silence.
            ///
            /// # Errors
            /// The keys that both give, each with its two values.
            pub fn or(self, file: Self) -> Result<Self, Vec<String>> {
                let mut both = Vec::new();
                $(if let (Some(flag), Some(file)) = (&self.$field, &file.$field) {
                    let key = stringify!($field).replace('_', "-");
                    both.push(format!("{key} (flag: {flag:?}, file: {file:?})"));
                })+
                if both.is_empty() { Ok(Self { $($field: self.$field.or(file.$field),)+ }) } else { Err(both) }
            }
        }
    };
}

settings! {
    /// What flags or a configuration file say; `None` where they do not.
    #[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
    #[serde(default, rename_all = "kebab-case")]
    pub struct Settings {
        /// Socket to listen on: unix:///path/to/socket; repeatable [default: unix:///run/loadline.sock for root, otherwise
        /// unix://$XDG_RUNTIME_DIR/loadline.sock]
        #[arg(short = 'H', long = "host", value_name = "URL")]
        pub hosts: Option<Vec<String>>,

        /// Directory of the images [default: /var/lib/loadline for root, otherwise $XDG_DATA_HOME/loadline, which is
        /// ~/.local/share/loadline where that is not set]
        #[arg(long, value_name = "DIR")]
        pub data_root: Option<PathBuf>,

        /// Log level: debug, info, warn, error or fatal [default: info]
        #[arg(short = 'l', long, value_name = "LEVEL")]
        pub log_level: Option<String>,

        /// Same as --log-level debug
        #[arg(short = 'D', long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
        pub debug: Option<bool>,

        /// Group that may use the socket, by name or number [default: docker, if that group exists]
        #[arg(short = 'G', long, value_name = "GROUP")]
        pub group: Option<String>,

        /// Registry that may use plain HTTP or an unknown certificate: HOST, HOST:PORT or CIDR; repeatable
        #[arg(long = "insecure-registry", value_name = "REGISTRY")]
        pub insecure_registries: Option<Vec<String>>,

        /// Mirror of Docker Hub to try first: an http or https URL; repeatable
        #[arg(long = "registry-mirror", value_name = "URL")]
        pub registry_mirrors: Option<Vec<GivenUrl>>,

        /// Token service of another domain that may have a registry's credentials; repeatable
        #[arg(long = "registry-token-service", value_name = "REGISTRY=HOST")]
        pub registry_token_services: Option<Vec<String>>,

        /// Directory of per-registry certificates: *.crt, and *.cert with *.key, in DIR/HOST or DIR/HOST:PORT
        /// [default: /etc/docker/certs.d]
        #[arg(long, value_name = "DIR")]
        pub registry_certs_dir: Option<PathBuf>,

        /// Proxy for registries with http URLs [default: $HTTP_PROXY]
        #[arg(long, value_name = "URL")]
        pub http_proxy: Option<GivenUrl>,

        /// Proxy for registries with https URLs [default: $HTTPS_PROXY]
        #[arg(long, value_name = "URL")]
        pub https_proxy: Option<GivenUrl>,

        /// Hosts to reach without a proxy: names, .DOMAIN, addresses, each with an optional port, or CIDRs, separated by
        /// commas [default: $NO_PROXY]
        #[arg(long, value_name = "LIST")]
        pub no_proxy: Option<String>,

        /// Maximum concurrent blob downloads, across all pulls [default: 3]
        #[arg(long, value_name = "N")]
        pub max_concurrent_downloads: Option<u32>,

        /// Maximum concurrent blob uploads, across all pushes [default: 5]
        #[arg(long, value_name = "N")]
        pub max_concurrent_uploads: Option<u32>,

        /// Image that collections of unused images leave alone: a name, or a pattern of names with *, ? and [a-z];
        /// repeatable
        #[arg(long = "pinned-image", value_name = "PATTERN")]
        pub pinned_images: Option<Vec<String>>,
        /// Maximum attempts of a request to a registry [default: 5]
        #[arg(long, value_name = "N")]
        pub max_download_attempts: Option<u32>,

        /// Largest blob, in bytes, that is kept in a file with others, at most 65536; 0 gives each blob a file of its own
        /// [default: 16384]
        #[arg(long, value_name = "BYTES")]
        pub max_packed_blob_size: Option<u32>,

        /// Attestations that a pull fetches: those of the pulled platform, or of all platforms [default: platform]
        #[arg(long, value_name = "platform|all")]
        pub pull_attestations: Option<String>,

        /// Verification rules: which images may come in, and by whose signature [default: none, and every image may]
        #[arg(long, value_name = "FILE")]
        pub verify_rules: Option<PathBuf>,
    }
}

/// A URL as it was given. Someone may have written a password into it, so `Debug` does not show it.
#[derive(Clone, Deserialize, PartialEq)]
#[serde(transparent)]
pub struct GivenUrl(String);

impl GivenUrl {
    /// The text, which may hold a password.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for GivenUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for GivenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    #[test]
    fn every_setting_has_a_flag_named_like_its_key() {
        let command = Settings::augment_args(Command::new("loadline"));
        let flags: Vec<&str> = command.get_arguments().filter_map(|flag| flag.get_long()).collect();
        let mut keys = Vec::new();
        // Whatever is asked for, serde first hands the names of all fields to the format.
        let _ = Settings::deserialize(Fields(&mut keys));
        assert_eq!(flags.len(), keys.len());
        assert!(Settings::keys().eq(keys.iter().copied()));
        for (flag, key) in flags.iter().zip(keys) {
            let singular = key.strip_suffix("ies").map(|stem| format!("{stem}y"));
            let singular = singular.or_else(|| key.strip_suffix('s').map(str::to_owned)).unwrap_or_default();
            assert!(*flag == key || *flag == singular, "--{flag} for {key:?}");
        }
    }

    /// A format that notes which fields a struct has.
    struct Fields<'a>(&'a mut Vec<&'static str>);

    impl<'de> serde::Deserializer<'de> for Fields<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: serde::de::Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom("only a struct has fields"))
        }

        fn deserialize_struct<V: serde::de::Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            self.0.extend(fields);
            self.deserialize_any(visitor)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
}
