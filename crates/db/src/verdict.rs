//! Verdicts about what was contributed, as documents of the store `validations`.
//!
//! Each has the address of its file as `_id`. One that this node found itself holds its vote, signed when it was
//! found, so that who asks for it costs no more than a look-up.

use crate::clock::timestamp;
use optimusdb_dag::Cid;
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
    /// The vote of this node, if it found that itself.
    pub(crate) vote: Option<Vec<u8>>,
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
        if let (Some(vote), Value::Object(fields)) = (&self.vote, &mut document) {
            fields.insert("vote".into(), hex::encode(vote).into());
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

/// The vote of this node in a document.
pub(crate) fn vote_in(json: &str) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Kept {
        vote: Option<String>,
    }
    hex::decode(serde_json::from_str::<Kept>(json).ok()?.vote?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_found_again_in_its_document() {
        let cid: Cid =
            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".parse().unwrap();
        let verdict = Verdict {
            valid: false,
            votes: 1,
            reason: "why".into(),
            finder: Finder::Own,
            vote: Some(vec![1, 255]),
            at_ms: 0,
        };
        let json = verdict.document(&cid).to_string();
        assert!(verdict.is_in(&json) && !verdict.is_in("{}"));
        assert_eq!(vote_in(&json), Some(vec![1, 255]));
        let of_others = Verdict { finder: Finder::Swarm, vote: None, ..verdict.clone() };
        assert!(!of_others.is_in(&json));
        assert_eq!(
            vote_in(&of_others.document(&cid).to_string()),
            None,
            "it is no vote of this node"
        );
    }
}
