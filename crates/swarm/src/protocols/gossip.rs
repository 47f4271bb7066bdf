//! How announcements travel: gossipsub, one topic a store, the topic being the store's address.
//!
//! A message is one entry block. Messages are signed by their author, and passed on only after the
//! node has judged them.

use std::time::Duration;

use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter, Message,
    MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, TopicHash,
    TopicScoreParams, TopicSubscriptionFilter, ValidationMode,
};
use libp2p::identity::Keypair;
use optimusdb_dag::Address;

use crate::Error;
use crate::limits::{
    GOSSIP_BYTES_MAX, GOSSIP_CONTROL_BYTES_MAX, GOSSIP_QUEUE_MESSAGES_MAX,
    SUBSCRIPTIONS_PER_FRAME_MAX, TOPICS_MAX,
};

/// Gossipsub over the topics of stores.
pub(crate) type Gossip =
    gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<StoreTopics>>;

/// Lets topics through that are addresses of stores, and ignores all others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreTopics;

impl TopicSubscriptionFilter for StoreTopics {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        store_of(topic).is_some()
    }
}

/// The topic of a store.
pub(crate) fn topic(store: &Address) -> IdentTopic {
    IdentTopic::new(store.to_string())
}

/// The store of a topic.
pub(crate) fn store_of(topic: &TopicHash) -> Option<Address> {
    topic.as_str().parse().ok()
}

/// Sets gossipsub up.
pub(crate) fn behaviour(key: Keypair) -> Result<Gossip, Error> {
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(GOSSIP_BYTES_MAX)
        .max_control_message_size(GOSSIP_CONTROL_BYTES_MAX)
        .connection_handler_queue_len(GOSSIP_QUEUE_MESSAGES_MAX)
        // Its author tells an entry to everyone it is connected with, and sync brings what was
        // lost: a small mesh is enough, and every copy costs a signature to verify.
        .flood_publish(true)
        .mesh_n(4)
        .mesh_n_low(3)
        .mesh_n_high(8)
        .mesh_outbound_min(1)
        .gossip_lazy(3)
        .heartbeat_initial_delay(Duration::from_millis(500))
        .heartbeat_interval(Duration::from_secs(1))
        // A busy node judges late, and the message must still be there then.
        .history_length(8)
        .history_gossip(3)
        .publish_queue_duration(Duration::from_secs(10))
        .forward_queue_duration(Duration::from_secs(5))
        .build()
        .map_err(|e| Error::setup("gossipsub", e))?;
    let filter = MaxCountSubscriptionFilter {
        filter: StoreTopics,
        max_subscribed_topics: TOPICS_MAX,
        max_subscriptions_per_request: SUBSCRIPTIONS_PER_FRAME_MAX,
    };
    let privacy = MessageAuthenticity::Signed(key);
    let mut behaviour = gossipsub::Behaviour::new_with_subscription_filter(privacy, config, filter)
        .map_err(|e| Error::setup("gossipsub", e))?;
    behaviour
        .with_peer_score(peer_score(), thresholds())
        .map_err(|e| Error::setup("gossipsub's scores", e))?;
    Ok(behaviour)
}

/// As the JavaScript implementation computes it, or nodes of the two would not recognise each
/// other's messages: the author's public key in its protobuf form, then the sequence number.
///
/// A peer id of an Ed25519 key is that form behind two bytes of multihash. Other keys are not in
/// their peer ids; the id stands for them.
fn message_id(message: &Message) -> MessageId {
    let author = message.source.as_ref().map(|peer| peer.to_bytes()).unwrap_or_default();
    let key = match author.as_slice() {
        [0, length, key @ ..] if usize::from(*length) == key.len() => key,
        other => other,
    };
    let mut id = Vec::with_capacity(key.len() + 8);
    id.extend_from_slice(key);
    id.extend_from_slice(&message.sequence_number.unwrap_or_default().to_be_bytes());
    MessageId(id)
}

/// Many nodes of one site share an address, so how many there are says nothing about them. A slow
/// peer is no bad one. What the node thinks of a peer counts as it is.
fn peer_score() -> PeerScoreParams {
    PeerScoreParams {
        app_specific_weight: 1.0,
        ip_colocation_factor_weight: 0.0,
        slow_peer_weight: 0.0,
        behaviour_penalty_weight: -1.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: 0.98,
        retain_score: Duration::from_secs(600),
        ..PeerScoreParams::default()
    }
}

fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -20.0,
        publish_threshold: -50.0,
        graylist_threshold: -80.0,
        accept_px_threshold: 1_000.0,
        opportunistic_graft_threshold: 1.0,
    }
}

/// A topic may be silent for days, so silence is no fault. Messages that were rejected are: ten of
/// them within a minute or two and the peer is not listened to for a while.
pub(crate) fn topic_score() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: 100.0,
        first_message_deliveries_weight: 0.1,
        first_message_deliveries_decay: 0.9,
        first_message_deliveries_cap: 50.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -1.0,
        invalid_message_deliveries_decay: 0.99,
        ..TopicScoreParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_the_key_and_the_number() {
        let key = Keypair::generate_ed25519().public();
        let message = Message {
            source: Some(key.to_peer_id()),
            data: b"entry".to_vec(),
            sequence_number: Some(0x0102_0304_0506_0708),
            topic: TopicHash::from_raw("t"),
        };
        let mut expected = key.encode_protobuf();
        assert_eq!(expected.len(), 36);
        expected.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(message_id(&message).0, expected);
    }

    #[test]
    fn the_parameters_are_valid() {
        topic_score().validate().unwrap();
        behaviour(Keypair::generate_ed25519()).unwrap();
    }

    #[test]
    fn only_addresses_of_stores_are_topics() {
        let store = Address::of_manifest(optimusdb_dag::LogCid::of(b"manifest"));
        assert_eq!(store_of(&topic(&store).hash()), Some(store));
        for other in ["", "_peer-discovery._p2p._pubsub", "/orbitdb/", "/orbitdb/zdpuX"] {
            assert_eq!(store_of(&TopicHash::from_raw(other)), None, "{other}");
        }
    }
}
