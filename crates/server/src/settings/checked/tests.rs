//! What values become, and which are refused.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::*;
use crate::settings::{Asked, read};

fn settings(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Settings, String> {
    let mut environment: BTreeMap<&str, OsString> = [("HOME", OsString::from("/home/u"))].into();
    environment.extend(variables.iter().map(|&(name, text)| (name, OsString::from(text))));
    let lookup = |name: &str| environment.get(name).cloned();
    match read(arguments.iter().map(|&argument| argument.to_owned()).collect(), &lookup) {
        Ok(Asked::Given(settings)) => Ok(*settings),
        Ok(other) => panic!("{arguments:?} gave {other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_defaults() {
    let settings = settings(&[], &[]).unwrap();
    let api = settings.api.unwrap();
    assert_eq!(
        (api.host.as_str(), api.port, api.context.as_str(), api.token),
        ("127.0.0.1", 8089, "swarmkb", None)
    );
    assert_eq!(settings.repo, Path::new("/home/u/.local/share/optimusdb/swarmkb"));
    assert_eq!((settings.swarm.as_str(), settings.region), ("swarmkb", None));
    assert!(settings.coordinator && settings.durable && !settings.log_readable);
    assert_eq!(settings.log_retention.as_secs(), 7 * 24 * 60 * 60);
    assert!(!settings.reindex);
    assert_eq!(settings.without_effect, Vec::<String>::new());
}

#[test]
fn a_repo_is_a_name_or_a_path() {
    let here = std::env::current_dir().unwrap();
    let xdg = ("XDG_DATA_HOME", "/xdg");
    for (arguments, variables, expected) in [
        (&["-repo=a"][..], &[][..], Path::new("/home/u/.local/share/optimusdb/a")),
        (&["-repo=a"], &[xdg], Path::new("/xdg/optimusdb/a")),
        (
            &["-repo=a"],
            &[("XDG_DATA_HOME", "relative")],
            Path::new("/home/u/.local/share/optimusdb/a"),
        ),
        (&["-repo=a"], &[xdg, ("OPTIMUSDB_DATA_DIR", "/d")], Path::new("/d/a")),
        (&["-repo=a", "-data-root=/e"], &[xdg, ("OPTIMUSDB_DATA_DIR", "/d")], Path::new("/e/a")),
        (&["-repo=/x/y", "-data-root=/e"], &[], Path::new("/x/y")),
        (&["-repo=./y"], &[], &here.join("y")),
        (&["-repo=~/y"], &[], Path::new("/home/u/y")),
        (&["-data-root=~/r"], &[], Path::new("/home/u/r/swarmkb")),
        (&[], &[("OPTIMUSDB_REPO", "b")], Path::new("/home/u/.local/share/optimusdb/b")),
    ] {
        assert_eq!(
            settings(arguments, variables).unwrap().repo,
            expected,
            "{arguments:?} {variables:?}"
        );
    }
    for name in ["", ".", "..", "~"] {
        assert!(
            settings(&[&format!("-repo={name}")], &[]).unwrap_err().contains("-repo wants a name"),
            "{name}"
        );
    }
}

#[test]
fn without_a_home_the_data_root_must_be_given_unless_the_repo_is_a_path() {
    let homeless = [("HOME", "")];
    let message = settings(&[], &homeless).unwrap_err();
    assert!(message.contains("-data-root or OPTIMUSDB_DATA_DIR"), "{message}");
    assert_eq!(settings(&["-repo=/x/y"], &homeless).unwrap().repo, Path::new("/x/y"));
}

#[test]
fn the_context_is_one_segment() {
    for good in ["swarmkb", "a", "A-b_c.d~1", "..."] {
        assert!(settings(&[&format!("-swarmkb={good}")], &[]).is_ok(), "{good}");
    }
    for bad in
        ["", "a/b", "/a", "a b", "ü", "a?b", "a#b", "%20", ".", "..", "{x}", &"a".repeat(129)]
    {
        let message = settings(&[&format!("-swarmkb={bad}")], &[]).unwrap_err();
        assert!(message.contains("-swarmkb wants"), "{message}");
    }
    assert!(
        settings(&[], &[("OPTIMUSDB_CONTEXT", "a/b")])
            .unwrap_err()
            .contains("OPTIMUSDB_CONTEXT wants")
    );
}

#[test]
fn the_token_comes_from_flag_variable_or_file_and_stays_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "from-file\n").unwrap();
    let file = ("OPTIMUSDB_API_TOKEN_FILE", path.to_str().unwrap());
    let token = |settings: Settings| settings.api.unwrap().token.unwrap().text().to_owned();

    assert_eq!(token(settings(&[], &[("OPTIMUSDB_API_TOKEN", "v")]).unwrap()), "v");
    assert_eq!(token(settings(&[], &[file]).unwrap()), "from-file");
    assert_eq!(token(settings(&["-api-token=f"], &[file]).unwrap()), "f");
    let message = settings(&[], &[file, ("OPTIMUSDB_API_TOKEN", "v")]).unwrap_err();
    assert!(message.contains("both set"), "{message}");

    let shown = format!("{:?}", settings(&["-api-token=hushhush"], &[]).unwrap());
    assert!(!shown.contains("hushhush"), "{shown}");
    assert!(settings(&["-api-token="], &[]).unwrap_err().contains("is empty"));
    for bad in ["two words", "li\nne", "schlüssel"] {
        let message = settings(&["-api-token", bad], &[]).unwrap_err();
        assert!(message.contains("visible ASCII") && !message.contains(bad), "{message}");
    }
    std::fs::write(&path, "\n").unwrap();
    assert!(settings(&[], &[file]).unwrap_err().contains("OPTIMUSDB_API_TOKEN_FILE is empty"));
    let missing = ("OPTIMUSDB_API_TOKEN_FILE", "/nowhere/token");
    assert!(settings(&[], &[missing]).unwrap_err().contains("/nowhere/token"));
}

#[test]
fn how_the_node_meets_its_peers() {
    let Settings { network, swarm_key_file, .. } = settings(&[], &[]).unwrap();
    assert_eq!((network.port, network.listen, swarm_key_file), (4001, vec![], None));
    assert!(network.mdns && network.dht && network.bootstrap.is_empty());
    let flags = ["-bootstrap=a, b:4002 ,", "-ipfs-host=[::1]", "-swarm-key=~/key", "-dht=false"];
    let seeds = [("OPTIMUSDB_SEED_PEERS", "c:1")];
    let Settings { network, swarm_key_file, .. } = settings(&flags, &seeds).unwrap();
    assert_eq!(
        (network.bootstrap, network.seeds),
        (vec!["a".into(), "b:4002".into()], vec!["c:1".into()])
    );
    assert_eq!(network.listen, [std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST)]);
    assert_eq!(swarm_key_file.as_deref(), Some(Path::new("/home/u/key")));
    assert!(!network.dht);
    assert!(settings(&["-ipfs-host=here"], &[]).unwrap_err().contains("-ipfs-host wants"));
    let most = vec!["h"; LISTED_TEXTS_MAX].join(",");
    assert!(settings(&[&format!("-bootstrap={most}")], &[]).is_ok());
    assert!(settings(&[&format!("-bootstrap={most},h")], &[]).is_err());
}

#[test]
fn names_and_origins_are_checked() {
    let api = |flags: &[&str]| settings(flags, &[]).map(|settings| settings.api.unwrap());
    let given = ["-http-hosts=Node.example, *", "-cors-origins=https://a.example,http://b:80"];
    let given = api(&given).unwrap();
    assert_eq!(given.hosts, ["node.example", "*"]);
    assert_eq!(given.origins, ["https://a.example", "http://b:80"]);
    for (flag, wants) in [
        ("-http-hosts=a:80", "-http-hosts wants"),
        ("-http-hosts=http://a", "-http-hosts wants"),
        ("-cors-origins=a.example", "-cors-origins wants"),
        ("-cors-origins=https://a/", "-cors-origins wants"),
        ("-cors-origins=null", "-cors-origins wants"),
    ] {
        assert!(api(&[flag]).unwrap_err().contains(wants), "{flag}");
    }
}

#[test]
fn an_address_may_stand_in_brackets() {
    assert_eq!(settings(&["-http-host=[::1]"], &[]).unwrap().api.unwrap().host, "::1");
    assert!(settings(&["-http-host="], &[]).unwrap_err().contains("-http-host wants"));
}

#[test]
fn without_http_there_is_no_api_and_no_token_is_read() {
    let missing = ("OPTIMUSDB_API_TOKEN_FILE", "/nowhere/token");
    assert!(settings(&["-http=false"], &[missing]).unwrap().api.is_none());
}

#[test]
fn flags_ahead_of_their_capability_are_named_once_each_and_only_when_set() {
    let variables = [("OPTIMUSDB_EXPERIMENTAL", "true"), ("OPTIMUSDB_FULL_REPLICA", "true")];
    let notices = settings(&["-shell", "-benchmark"], &variables).unwrap().without_effect;
    assert_eq!(
        notices,
        [
            "-benchmark is accepted and has no effect yet: benchmarking comes with a later version",
            "-shell is accepted and has no effect yet: the shell comes with a later version",
            "OPTIMUSDB_EXPERIMENTAL is accepted and has no effect yet: the first experimental feature comes with a later version",
        ]
    );
    let off =
        settings(&["-mdns=true", "-shell=false"], &[("OPTIMUSDB_FULL_REPLICA", "false")]).unwrap();
    assert_eq!(off.without_effect, Vec::<String>::new());
}

#[test]
fn log_levels_are_checked() {
    for good in ["error", "INFO", "trace", "off", "info,optimusdb_db=debug", "hyper=warn"] {
        assert!(settings(&[], &[("OPTIMUSDB_LOG_LEVEL", good)]).is_ok(), "{good}");
    }
    for bad in ["inof", "verbose", "a=b=c", "optimusdb=loud"] {
        let message = settings(&[], &[("OPTIMUSDB_LOG_LEVEL", bad)]).unwrap_err();
        assert!(message.contains("OPTIMUSDB_LOG_LEVEL wants"), "{message}");
    }
}

#[test]
fn names_are_short_and_of_one_line() {
    for flag in ["-swarm", "-region"] {
        assert!(settings(&[flag, "a\nb"], &[]).unwrap_err().contains("in one line"));
        assert!(
            settings(&[flag, &"x".repeat(129)], &[]).unwrap_err().contains("at most 128 bytes")
        );
    }
    assert!(settings(&["-swarm="], &[]).is_err());
    assert_eq!(settings(&["-region="], &[("OPTIMUSDB_REGION", "eu")]).unwrap().region, None);
}
