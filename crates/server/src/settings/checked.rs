//! The settings of a node, with their types, checked as far as can be without IO.
//!
//! It does not check what only the system knows: whether a port is free or a directory writable.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use optimusdb_db::{FilePeers, NetworkConfig, Profile};

use super::definition::{Flag, ValueKind};
use super::values::{Environment, SettingValues, ValueSource, expand_home, lookup};
use super::{UsageError, file, table};
use crate::limits::{API_TOKEN_BYTES_MAX, LISTED_TEXTS_MAX, NAME_BYTES_MAX, TOKEN_FILE_BYTES_MAX};
use crate::telemetry::LogFilter;
use crate::web_origin;

/// Everything that a user can set, resolved.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The HTTP API; none with `-http=false`.
    pub api: Option<ApiSettings>,
    /// Port of the gateway, which is where the API is; 0 is any free one.
    pub gateway_port: u16,
    /// The data directory, absolute where the working directory is known.
    pub repo: PathBuf,
    /// Name of the swarm.
    pub swarm: String,
    /// How the node meets its peers, but for the key that they must hold.
    pub network: NetworkConfig,
    /// File with that key.
    pub swarm_key_file: Option<PathBuf>,
    /// Tag of where the node runs.
    pub region: Option<String>,
    /// Whether the node may create stores.
    pub coordinator: bool,
    /// Whether every write is on the disk before its answer.
    pub durable: bool,
    /// Whether what is derived from the logs is made again first.
    pub reindex: bool,
    /// Which records of the journal go to standard error.
    pub log_filter: LogFilter,
    /// Whether they are written for a reader at a terminal.
    pub log_readable: bool,
    /// How long the journal is kept.
    pub log_retention: Duration,
    /// The name that contributions bear; the host's when absent.
    pub agent_name: Option<String>,
    /// With whom blocks of files are exchanged.
    pub file_peers: FilePeers,
    /// Where `get` saves, if that was said.
    pub download_dir: Option<PathBuf>,
    /// Where the user keeps downloads, if there is such a directory.
    pub user_downloads: Option<PathBuf>,
    /// Whether everything that the swarm contributes is fetched.
    pub full_replica: bool,
    /// Bytes that the blocks of files may take.
    pub storage_max_bytes: Option<u64>,
    /// Free bytes of the disk below which what comes from peers waits.
    pub disk_reserve_bytes: u64,
    /// How files are cut.
    pub profile: Profile,
    /// One sentence for each flag that was set and has no effect in this version.
    pub without_effect: Vec<String>,
}

/// Where the HTTP API listens, and for whom.
#[derive(Debug)]
pub(crate) struct ApiSettings {
    /// Host name or address to bind, without brackets.
    pub host: String,
    /// Port to bind; 0 is any free one.
    pub port: u16,
    /// First segment of the API's paths.
    pub context: String,
    /// What clients must present.
    pub token: Option<ApiToken>,
    /// Further names by which browsers may reach it, in lower case; `*` for all.
    pub hosts: Vec<String>,
    /// Origins whose pages may ask, if that was said; `*` for all.
    pub origins: Vec<String>,
}

/// A secret; it does not show in debug output.
#[derive(PartialEq, Eq)]
pub(crate) struct ApiToken(String);

impl ApiToken {
    /// The secret itself.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(…)")
    }
}

impl Settings {
    /// Gives merged values their types.
    ///
    /// # Errors
    ///
    /// A value that its flag's kind allows and its meaning does not; no home for the data; an
    /// unreadable token file.
    pub(crate) fn from_values(
        values: &SettingValues,
        environment: Environment<'_>,
    ) -> Result<Settings, UsageError> {
        let devlogs = values.switch(&table::DEVLOGS);
        let (download_dir, user_downloads) = download_dirs(values, environment)?;
        Ok(Settings {
            api: if values.switch(&table::HTTP) { Some(api(values, environment)?) } else { None },
            gateway_port: port(values, &table::GATEWAY_PORT),
            repo: repo(values, environment)?,
            swarm: required_name(values, &table::SWARM)?,
            network: network(values)?,
            swarm_key_file: swarm_key_file(values, environment)?,
            region: optional_name(values, &table::REGION)?,
            coordinator: values.switch(&table::COORDINATOR),
            durable: values.switch(&table::DURABLE),
            reindex: values.switch(&table::REINDEX),
            log_filter: log_filter(values, devlogs)?,
            log_readable: devlogs,
            log_retention: Duration::from_secs(
                24 * 60 * 60 * values.number(&table::LOG_RETENTION_DAYS),
            ),
            agent_name: optional_name(values, &table::AGENT_NAME)?,
            file_peers: file_peers(values)?,
            download_dir,
            user_downloads,
            full_replica: values.switch(&table::FULL_REPLICA),
            storage_max_bytes: values.size(&table::STORAGE_MAX),
            disk_reserve_bytes: values.size(&table::DISK_RESERVE).unwrap_or_default(),
            profile: profile(values)?,
            without_effect: without_effect(values),
        })
    }
}

fn file_peers(values: &SettingValues) -> Result<FilePeers, UsageError> {
    match values.text(&table::FILE_PEERS) {
        Some("all") | None => Ok(FilePeers::All),
        Some("swarm") => Ok(FilePeers::Swarm),
        Some(other) => {
            Err(UsageError::bad_value(&named(values, &table::FILE_PEERS), "all or swarm", other))
        }
    }
}

/// Where files are saved: as named, and where the user keeps downloads otherwise.
fn download_dirs(
    values: &SettingValues,
    environment: Environment<'_>,
) -> Result<(Option<PathBuf>, Option<PathBuf>), UsageError> {
    let named = values.text(&table::DOWNLOAD_DIR).filter(|path| !path.is_empty());
    let named = named.map(|path| expand_home(path, environment)).transpose()?;
    Ok((named, expand_home("~/Downloads", environment).ok()))
}

fn profile(values: &SettingValues) -> Result<Profile, UsageError> {
    let name = required_name(values, &table::UNIXFS_PROFILE)?;
    name.parse().map_err(|_| {
        let wanted = format!("one of {}", Profile::ALL.map(Profile::name).join(", "));
        UsageError::bad_value(&named(values, &table::UNIXFS_PROFILE), &wanted, &name)
    })
}

pub(super) fn api(
    values: &SettingValues,
    environment: Environment<'_>,
) -> Result<ApiSettings, UsageError> {
    let host = required_name(values, &table::HTTP_HOST)?;
    let host =
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host).to_owned();
    Ok(ApiSettings {
        host,
        port: port(values, &table::HTTP_PORT),
        context: context(values)?,
        token: token(values, environment)?,
        hosts: each(values, &table::HTTP_HOSTS, "names of hosts without a port, or *", |host| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            (host == "*" || host.bytes().all(plain)).then(|| host.to_ascii_lowercase())
        })?,
        origins: each(
            values,
            &table::CORS_ORIGINS,
            "origins such as https://app.example.org, without a path, or *",
            |origin| {
                let valid = origin == "*" || web_origin::host_of(origin).is_some();
                valid.then(|| origin.to_owned())
            },
        )?,
    })
}

fn network(values: &SettingValues) -> Result<NetworkConfig, UsageError> {
    let host = optional_name(values, &table::IPFS_HOST)?;
    let host = host.map(|text| {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        bare.unwrap_or(&text).parse().map_err(|_| {
            let wanted = "an IP address such as 127.0.0.1 or ::1";
            UsageError::bad_value(&named(values, &table::IPFS_HOST), wanted, &text)
        })
    });
    Ok(NetworkConfig {
        listen: host.transpose()?.into_iter().collect(),
        port: port(values, &table::IPFS_PORT),
        bootstrap: list(values, &table::BOOTSTRAP)?,
        seeds: list(values, &table::SEED_PEERS)?,
        swarm_key: None,
        mdns: values.switch(&table::MDNS),
        dht: values.switch(&table::DHT),
    })
}

fn port(values: &SettingValues, flag: &Flag) -> u16 {
    u16::try_from(values.number(flag)).expect("invariant: the flag's bounds fit")
}

fn swarm_key_file(
    values: &SettingValues,
    environment: Environment<'_>,
) -> Result<Option<PathBuf>, UsageError> {
    let path = values.text(&table::SWARM_KEY).filter(|path| !path.is_empty());
    path.map(|path| expand_home(path, environment)).transpose()
}

/// The texts between the commas, empty ones left out.
fn list(values: &SettingValues, flag: &Flag) -> Result<Vec<String>, UsageError> {
    let text = values.text(flag).unwrap_or_default();
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let items: Vec<String> = items.map(str::to_owned).collect();
    if items.len() > LISTED_TEXTS_MAX {
        let wanted = format!("at most {LISTED_TEXTS_MAX} of them");
        return Err(UsageError::bad_value(&named(values, flag), &wanted, text));
    }
    Ok(items)
}

/// A list of which each text has to be what is wanted.
fn each(
    values: &SettingValues,
    flag: &Flag,
    wanted: &str,
    read: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, UsageError> {
    let items = list(values, flag)?;
    let read = items.iter().map(|item| {
        read(item).ok_or_else(|| UsageError::bad_value(&named(values, flag), wanted, item))
    });
    read.collect()
}

/// One segment of a path, of letters that no URL ever escapes (RFC 3986, "unreserved").
fn context(values: &SettingValues) -> Result<String, UsageError> {
    let context = required_name(values, &table::SWARMKB)?;
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !context.bytes().all(safe) || context == "." || context == ".." {
        let wanted = "one path segment of letters, digits and -._~";
        return Err(UsageError::bad_value(&named(values, &table::SWARMKB), wanted, &context));
    }
    Ok(context)
}

/// The token from its strongest source. Nobody could guess which of two variables wins, so both at
/// once are refused.
fn token(
    values: &SettingValues,
    environment: Environment<'_>,
) -> Result<Option<ApiToken>, UsageError> {
    let (text, path) = (values.text(&table::API_TOKEN), values.text(&table::API_TOKEN_FILE));
    let (text_source, path_source) =
        (values.source(&table::API_TOKEN), values.source(&table::API_TOKEN_FILE));
    let (token, name) = match (text, path) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) if text_source == path_source => {
            let (text, path) =
                (named(values, &table::API_TOKEN), named(values, &table::API_TOKEN_FILE));
            return Err(UsageError::new(format!("{text} and {path} are both set: unset one")));
        }
        (Some(text), None) => (text.to_owned(), named(values, &table::API_TOKEN)),
        (Some(text), Some(_)) if text_source > path_source => {
            (text.to_owned(), named(values, &table::API_TOKEN))
        }
        (_, Some(path)) => {
            let name = named(values, &table::API_TOKEN_FILE);
            let read = file::read_text(&expand_home(path, environment)?, TOKEN_FILE_BYTES_MAX);
            let text = read.map_err(|error| {
                UsageError::new(format!("{name}: cannot read {path:?}: {error}"))
            })?;
            (text.trim().to_owned(), name)
        }
    };
    // An unset shell variable in `-api-token="$TOKEN"` must not open the API to everyone.
    if token.is_empty() {
        return Err(UsageError::new(format!(
            "{name} is empty: leave it out to serve without a token"
        )));
    }
    if token.len() > API_TOKEN_BYTES_MAX || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(UsageError::new(format!(
            "{name} wants at most {API_TOKEN_BYTES_MAX} visible ASCII characters without spaces"
        )));
    }
    Ok(Some(ApiToken(token)))
}

/// A name stands for a directory inside the data root; with a separator it is a path.
fn repo(values: &SettingValues, environment: Environment<'_>) -> Result<PathBuf, UsageError> {
    let repo = values.text(&table::REPO).unwrap_or_default();
    let path = if repo.contains(std::path::is_separator) {
        expand_home(repo, environment)?
    } else if matches!(repo, "" | "." | ".." | "~") {
        let wanted = "a name, or a path with a separator such as ./data";
        return Err(UsageError::bad_value(&named(values, &table::REPO), wanted, repo));
    } else {
        data_root(values, environment)?.join(repo)
    };
    // Without a working directory the path stays as it is, and opening it says why it fails.
    Ok(std::path::absolute(&path).unwrap_or(path))
}

/// The user's data directory after the XDG base directory specification, unless set.
fn data_root(values: &SettingValues, environment: Environment<'_>) -> Result<PathBuf, UsageError> {
    if let Some(root) = values.text(&table::DATA_ROOT) {
        return expand_home(root, environment);
    }
    // The specification wants relative paths ignored.
    let absolute = |path: &PathBuf| path.is_absolute();
    if let Some(data) = lookup("XDG_DATA_HOME", environment)?.map(PathBuf::from).filter(absolute) {
        return Ok(data.join("optimusdb"));
    }
    match lookup("HOME", environment)? {
        Some(home) => Ok(PathBuf::from(home).join(".local/share/optimusdb")),
        None => Err(UsageError::new(
            "no place for the data, HOME is unset: set -data-root or OPTIMUSDB_DATA_DIR, or give -repo a path",
        )),
    }
}

/// `-devlogs` raises a plain level to debug and leaves a filter as it is.
fn log_filter(values: &SettingValues, devlogs: bool) -> Result<LogFilter, UsageError> {
    let text = values.text(&table::LOG_LEVEL).unwrap_or_default();
    let filter = LogFilter::parse(text).map_err(|wanted| {
        UsageError::bad_value(&named(values, &table::LOG_LEVEL), &wanted, text)
    })?;
    Ok(if devlogs { filter.at_least_debug() } else { filter })
}

fn required_name(values: &SettingValues, flag: &Flag) -> Result<String, UsageError> {
    optional_name(values, flag)?
        .ok_or_else(|| UsageError::bad_value(&named(values, flag), "a name", ""))
}

/// A short text of one line; nothing when it is unset or empty.
fn optional_name(values: &SettingValues, flag: &Flag) -> Result<Option<String>, UsageError> {
    let text = values.text(flag).unwrap_or_default().trim();
    if text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        let wanted = format!("at most {NAME_BYTES_MAX} bytes in one line");
        return Err(UsageError::bad_value(&named(values, flag), &wanted, text));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// How the user knows the flag: by the name under which it was set.
fn named(values: &SettingValues, flag: &Flag) -> String {
    match values.source(flag) {
        ValueSource::Variable => flag.variable.to_owned(),
        ValueSource::File => format!("key {:?} of the configuration file", flag.name),
        ValueSource::Flag | ValueSource::Default => format!("-{}", flag.name),
    }
}

/// A switch set to false asks for nothing, so its absence needs no notice.
fn without_effect(values: &SettingValues) -> Vec<String> {
    let asked = |flag: &&&'static Flag| match flag.kind {
        ValueKind::Switch => values.switch(flag),
        _ => true,
    };
    let set =
        table::ALL.iter().filter(|flag| values.source(flag) != ValueSource::Default).filter(asked);
    set.filter_map(|flag| {
        let (name, capability) = (named(values, flag), flag.later?);
        Some(format!(
            "{name} is accepted and has no effect yet: {capability} comes with a later version"
        ))
    })
    .collect()
}

#[cfg(test)]
mod tests;
