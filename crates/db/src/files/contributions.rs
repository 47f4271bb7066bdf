//! Contributions: what nodes posted, as events of a store that all of them share.

use crate::clock::timestamp;
use crate::files::AddedFiles;
use crate::limits::CONTRIBUTOR_ADDRESSES_MAX;
use optimusdb_swarm::{FileHolder, is_near};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The store of the contributions.
pub(crate) const CONTRIBUTIONS: &str = "contributions";

/// Whose contribution it is.
#[derive(Debug)]
pub(crate) struct Contributor {
    pub(crate) agent_name: String,
    pub(crate) peer_id: String,
    /// The multiaddrs at which it is reached.
    pub(crate) addrs: Vec<String>,
}

/// The event of a file that was posted. The first seven keys are those that clients know.
pub(crate) fn contribution(
    contributor: &Contributor,
    file: &AddedFiles,
    name: &str,
    now_ms: u64,
) -> Value {
    let addresses: BTreeSet<IpAddr> =
        contributor.addrs.iter().filter_map(|multiaddr| ip_of(multiaddr)).collect();
    let near = addresses.iter().find(|ip| is_near(ip)).map(IpAddr::to_string);
    let far = addresses.iter().find(|ip| !is_near(ip)).map(IpAddr::to_string);
    json!({
        "agentname": contributor.agent_name,
        "path": format!("/ipfs/{}", file.cid),
        "contributor": contributor.peer_id,
        "creationTS": timestamp(i64::try_from(now_ms).unwrap_or_default()),
        "localip": near.clone().or_else(|| far.clone()).unwrap_or_default(),
        "nodeip": far.or(near).unwrap_or_default(),
        "remoteIPs": contributor.addrs,
        "name": name,
        "size": file.size,
    })
}

/// Whom the event of a contribution names, who is asked for its blocks. `None` for an event of another
/// make.
pub(crate) fn contributor_of(event: &Value) -> Option<FileHolder> {
    let addresses = event["remoteIPs"].as_array().map_or(&[][..], Vec::as_slice);
    let addresses = addresses.iter().filter_map(Value::as_str).map(str::to_owned);
    Some(FileHolder {
        peer: event["contributor"].as_str()?.parse().ok()?,
        addresses: addresses.take(CONTRIBUTOR_ADDRESSES_MAX).collect(),
    })
}

/// The address in a multiaddr such as `/ip4/192.0.2.1/tcp/4001`.
fn ip_of(multiaddr: &str) -> Option<IpAddr> {
    let mut parts = multiaddr.split('/').skip(1);
    match (parts.next()?, parts.next()?) {
        ("ip4" | "ip6", ip) => ip.parse().ok().filter(|ip: &IpAddr| !ip.is_loopback()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_near_and_far_are_told_apart() {
        let contributor = Contributor {
            agent_name: "a".into(),
            peer_id: "12D3".into(),
            addrs: ["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.5/tcp/1", "/ip4/192.0.2.1/udp/1"]
                .map(String::from)
                .to_vec(),
        };
        let cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        let file = AddedFiles { cid: cid.parse().unwrap(), size: 0, files: Vec::new() };
        let value = contribution(&contributor, &file, "x.txt", 0);
        assert_eq!(value["path"], format!("/ipfs/{cid}"));
        assert_eq!(value["creationTS"], "1970-01-01T00:00:00.000Z");
        assert_eq!(
            (&value["localip"], &value["nodeip"]),
            (&json!("192.168.1.5"), &json!("192.0.2.1"))
        );
        assert_eq!(contributor_of(&value), None, "the peer id is none");
    }

    #[test]
    fn who_contributed_is_read_from_the_event_and_nothing_else_is_taken_for_it() {
        let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let many: Vec<String> = (0..100).map(|port| format!("/ip4/192.0.2.1/tcp/{port}")).collect();
        let event = json!({"contributor": peer, "remoteIPs": many});
        let holder = contributor_of(&event).unwrap();
        assert_eq!((holder.peer.to_string().as_str(), &holder.addresses[..]), (peer, &many[..16]));
        let bare = contributor_of(&json!({"contributor": peer, "remoteIPs": [1, null]})).unwrap();
        assert!(bare.addresses.is_empty());
        for wrong in
            [json!(null), json!([]), json!({"contributor": 7}), json!({"contributor": "x"})]
        {
            assert_eq!(contributor_of(&wrong), None, "{wrong}");
        }
    }
}
