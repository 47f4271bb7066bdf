//! Verdicts about what was contributed, as documents of the store `validations`.
//!
//! Each has the address of its file as `_id`. One that this node found itself holds the signature of its vote, made
//! when it was found, so that who asks for it costs no more than a look-up.

use crate::clock::timestamp;
use optimusdb_dag::{Cid, Identity, Vote};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The store of the verdicts of this node.
pub(crate) const VALIDATIONS: &str = "validations";

/// Who found a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Finder {
    /// This node looked at the file.
    #[serde(rename = "self")]
    Own,
    /// The majority of the peers that were asked.
    Swarm,
}

/// What was found about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) valid: bool,
    /// Votes that say so.
    pub(crate) votes: u64,
    /// Why not; empty when it is valid.
    pub(crate) reason: String,
    pub(crate) finder: Finder,
    /// The signature of this node's vote, if it found that itself.
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) at_ms: u64,
}

/// A verdict as it is shown with a contribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictShown {
    /// Whether the file is as it should be.
    #[serde(rename = "isValid")]
    pub valid: bool,
    /// Votes that say so.
    #[serde(rename = "voteCnt")]
    pub votes: u64,
    /// Why not; empty when it is valid.
    pub reason: String,
}

impl Verdict {
    /// The document.
    pub(crate) fn document(&self, cid: &Cid) -> Value {
        let mut document = json!({
            "_id": cid.to_string(),
            "path": format!("/ipfs/{cid}"),
            "isValid": self.valid,
            "voteCnt": self.votes,
            "reason": self.reason,
            "foundBy": self.finder,
            "foundTS": timestamp(i64::try_from(self.at_ms).unwrap_or_default()),
        });
        if let (Some(signature), Value::Object(fields)) = (&self.signature, &mut document) {
            fields.insert("signature".into(), hex::encode(signature).into());
        }
        document
    }

    /// Whether a document says the same, and need not be written again.
    pub(crate) fn is_in(&self, json: &str) -> bool {
        #[derive(Deserialize)]
        struct Kept {
            #[serde(flatten)]
            shown: VerdictShown,
            #[serde(rename = "foundBy")]
            finder: Finder,
        }
        let kept: Option<Kept> = serde_json::from_str(json).ok();
        kept.is_some_and(|kept| {
            let shown = kept.shown;
            kept.finder == self.finder
                && (shown.valid, shown.votes) == (self.valid, self.votes)
                && shown.reason == self.reason
        })
    }
}

/// The vote of this node that a document tells of.
pub(crate) fn vote_in(json: &str, voter: &Identity) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Kept {
        #[serde(rename = "isValid")]
        valid: bool,
        #[serde(rename = "foundTS")]
        found: String,
        signature: String,
    }
    let Kept { valid, found, signature } = serde_json::from_str(json).ok()?;
    let found: jiff::Timestamp = found.parse().ok()?;
    let at_ms = u64::try_from(found.as_millisecond()).ok()?;
    Some(Vote::write(voter, valid, at_ms, &hex::decode(signature).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use optimusdb_dag::{IdentityKeys, VoteSubject};

    #[test]
    fn a_verdict_is_found_again_in_its_document() {
        let cid: Cid =
            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".parse().unwrap();
        let keys = IdentityKeys::from_bytes(&[1; 32], &[2; 32]).unwrap();
        let subject = VoteSubject { swarm: "s", peer: b"peer", cid: &cid };
        let at_ms = 1_764_329_000_007;
        let verdict = Verdict {
            valid: false,
            votes: 1,
            reason: "why".into(),
            finder: Finder::Own,
            signature: Some(Vote::sign(&keys, &subject, false, at_ms)),
            at_ms,
        };
        let json = verdict.document(&cid).to_string();
        assert!(verdict.is_in(&json) && !verdict.is_in("{}"));
        let vote = Vote::open(&vote_in(&json, keys.identity()).unwrap(), &subject).unwrap();
        assert_eq!((vote.valid, vote.at_ms), (false, at_ms));
        let of_others = Verdict { finder: Finder::Swarm, signature: None, ..verdict.clone() };
        assert!(!of_others.is_in(&json));
        let json = of_others.document(&cid).to_string();
        assert_eq!(vote_in(&json, keys.identity()), None, "it is no vote of this node");
    }
}
