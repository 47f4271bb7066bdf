//! Judging what was contributed. A node that has all of a file looks at it itself; one that has not asks its peers,
//! and takes what the majority of those that it asked says, until it has the file: then its own look counts.

use super::Node;
use crate::clock::now_ms;
use crate::document;
use crate::error::Error;
use crate::files::{Finding, off_task, root_of};
use crate::limits::{
    CHECKS_MAX, JUDGED_ASKS_MIN, JUDGED_FETCH_BYTES_MAX, JUDGED_FILES_MAX, KEEP_RETRY_MS,
    KEEP_RETRY_MS_MAX, KEEP_WAIT_MS_MAX, VERDICT_REASON_BYTES_MAX, VOTERS_MAX, VOTES_MS_MAX,
};
use crate::verdict::{Finder, VALIDATIONS, Verdict, VerdictShown};
use crate::writer::Work;
use optimusdb_dag::{Cid, Vote, VoteSubject};
use optimusdb_storage::{Contributed, PinState};
use optimusdb_swarm::{PeerId, Swarm};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What peers say of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Votes {
    valid: usize,
    invalid: usize,
    asked: usize,
}

impl Votes {
    /// What more than half of those who were asked say, and how many they are.
    fn majority(&self) -> Option<(bool, usize)> {
        [(true, self.valid), (false, self.invalid)].into_iter().find(|(_, n)| n * 2 > self.asked)
    }
}

impl Node {
    /// Judges what is contributed, as long as it is let.
    pub(super) async fn judge(&self) {
        loop {
            let wait = match self.judge_some().await {
                Ok(Some(wait)) => wait,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!("contributions were not judged: {error}");
                    KEEP_RETRY_MS
                }
            };
            let judging = self.inner.files.to_judge();
            // In vain when something came that can be judged at once.
            let _ = tokio::time::timeout(Duration::from_millis(wait), judging).await;
        }
    }

    /// Judges what is due; when nothing is, answers for how many milliseconds.
    async fn judge_some(&self) -> Result<Option<u64>, Error> {
        let blocks = self.inner.files.blocks();
        let (due, next) = off_task(move || {
            let due = blocks.unjudged(now_ms(), JUDGED_FILES_MAX)?;
            Ok::<_, optimusdb_storage::Error>((due, blocks.next_unjudged_due()?))
        })
        .await?;
        if due.is_empty() {
            let wait = next.map_or(KEEP_WAIT_MS_MAX, |at| at.saturating_sub(now_ms()));
            return Ok(Some(wait.clamp(1, KEEP_WAIT_MS_MAX)));
        }
        let turns = Arc::new(Semaphore::new(CHECKS_MAX));
        let mut judging = JoinSet::new();
        for file in due {
            let (node, turns) = (self.clone(), Arc::clone(&turns));
            judging.spawn(async move {
                let judged = node.judge_one(&file, &turns).await;
                (file, judged)
            });
        }
        let mut verdicts = Vec::new();
        while let Some(judged) = judging.join_next().await {
            let (file, judged) = judged.map_err(|e| Error::Internal(format!("judging: {e}")))?;
            let verdict = judged.unwrap_or_else(|error| {
                tracing::debug!("{} was not judged: {error}", file.cid);
                None
            });
            verdicts.push((file, verdict));
        }
        self.note_verdicts(verdicts).await?;
        Ok(None)
    }

    /// A verdict, if there can be one now.
    async fn judge_one(
        &self,
        file: &Contributed,
        turns: &Semaphore,
    ) -> Result<Option<Verdict>, Error> {
        let files = &self.inner.files;
        let check = async || {
            let _turn = turns.acquire().await;
            Ok::<_, Error>(self.own_verdict(&file.cid, files.check(file).await?))
        };
        if let Some(verdict) = check().await? {
            return Ok(Some(verdict));
        }
        let (blocks, cid) = (files.blocks(), file.cid.clone());
        let pin = off_task(move || blocks.pin_of(&cid)).await?;
        if pin.is_some_and(|pin| pin.outcome.state == PinState::Wanted) {
            // It is on its way, and judged when it is here.
            return Ok(None);
        }
        let Some(swarm) = self.inner.replication.get().map(|replication| replication.swarm())
        else {
            return Ok(None);
        };
        let votes = self.ask(swarm, &file.cid).await;
        if let Some((valid, count)) = votes.majority() {
            let asked = votes.asked;
            let reason = if valid {
                String::new()
            } else {
                format!("{count} of {asked} peers that were asked say so")
            };
            return Ok(Some(Verdict {
                valid,
                votes: count as u64,
                reason,
                finder: Finder::Swarm,
                signature: None,
                at_ms: now_ms(),
            }));
        }
        if votes.asked == 0 || file.size.is_none_or(|size| size > JUDGED_FETCH_BYTES_MAX) {
            return Ok(None);
        }
        // Others are about to look, too: their votes cost less than the file.
        if file.tries < JUDGED_ASKS_MIN {
            return Ok(None);
        }
        files.fetch_to_judge(file, JUDGED_FETCH_BYTES_MAX).await?;
        let verdict = check().await;
        // It was fetched to be looked at, and not to be kept.
        files.unwanted();
        verdict
    }

    fn own_verdict(&self, cid: &Cid, finding: Finding) -> Option<Verdict> {
        let (valid, mut reason) = match finding {
            Finding::Missing => return None,
            Finding::Valid => (true, String::new()),
            Finding::Invalid(why) => (false, why),
        };
        reason.truncate(reason.floor_char_boundary(VERDICT_REASON_BYTES_MAX));
        let at_ms = now_ms();
        let peer = self.inner.host.id().to_bytes();
        let subject = VoteSubject { swarm: &self.inner.id.swarm, peer: &peer, cid };
        let signature = Some(Vote::sign(&self.inner.keys, &subject, valid, at_ms));
        Some(Verdict { valid, votes: 1, reason, finder: Finder::Own, signature, at_ms })
    }

    /// Asks connected peers, and counts the votes that come in time: one a peer, one an identity.
    async fn ask(&self, swarm: &Swarm, cid: &Cid) -> Votes {
        let peers: Vec<PeerId> = swarm.voters().into_iter().take(VOTERS_MAX).collect();
        let mut votes = Votes { asked: peers.len(), ..Votes::default() };
        let mut asking = JoinSet::new();
        for peer in peers {
            let (swarm, cid) = (swarm.clone(), cid.clone());
            asking.spawn(async move { (peer, swarm.ask_vote(peer, &cid).await) });
        }
        let until = tokio::time::Instant::now() + Duration::from_millis(VOTES_MS_MAX);
        let mut voters = HashSet::new();
        while let Ok(Some(answered)) = tokio::time::timeout_at(until, asking.join_next()).await {
            let Ok((peer, Ok(Some(bytes)))) = answered else { continue };
            let peer_bytes = peer.to_bytes();
            let subject = VoteSubject { swarm: &self.inner.id.swarm, peer: &peer_bytes, cid };
            match Vote::open(&bytes, &subject) {
                Ok(vote) if voters.insert(vote.voter.clone()) => match vote.valid {
                    true => votes.valid += 1,
                    false => votes.invalid += 1,
                },
                Ok(_) => tracing::debug!("{peer} votes for an identity that has voted already"),
                Err(error) => tracing::debug!("{peer} sent no vote about {cid}: {error}"),
            }
        }
        votes
    }

    /// Writes verdicts, as far as they are new, and notes when the others are looked for again.
    async fn note_verdicts(
        &self,
        verdicts: Vec<(Contributed, Option<Verdict>)>,
    ) -> Result<(), Error> {
        let store = self.store(VALIDATIONS)?;
        let ids: Vec<String> = verdicts.iter().map(|(file, _)| file.cid.to_string()).collect();
        let kept = self
            .read(move |view| {
                let kept = ids.iter().map(|id| view.document(&store, id));
                kept.collect::<Result<Vec<_>, _>>()
            })
            .await?;
        let mut documents = Vec::new();
        for ((file, verdict), kept) in verdicts.iter().zip(kept) {
            let Some(verdict) = verdict else { continue };
            if !kept.is_some_and(|json| verdict.is_in(&json)) {
                documents.push(verdict.document(&file.cid));
                if !verdict.valid {
                    tracing::warn!(
                        "the contribution {} is not valid: {}",
                        file.cid,
                        verdict.reason
                    );
                }
            }
        }
        let documents = document::check_all(store.kind, documents)?;
        if !documents.is_empty() {
            self.count(Work::Put { store, documents }).await?;
        }
        let blocks = self.inner.files.blocks();
        off_task(move || {
            verdicts.iter().try_for_each(|(file, verdict)| {
                let wait = KEEP_RETRY_MS.saturating_mul(1 << file.tries.min(20));
                let later = now_ms().saturating_add(wait.min(KEEP_RETRY_MS_MAX));
                blocks.note_judged(&file.cid, verdict.is_none().then_some(later))
            })
        })
        .await
    }

    /// What is known here of files that paths such as `/ipfs/<cid>` lead to, by the path.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn verdicts(
        &self,
        paths: Vec<String>,
    ) -> Result<HashMap<String, VerdictShown>, Error> {
        let store = self.store(VALIDATIONS)?;
        self.read(move |view| {
            let mut shown = HashMap::new();
            for path in paths {
                let Some(cid) = root_of(&path) else { continue };
                let json = view.document(&store, &cid.to_string())?;
                let verdict = json.and_then(|json| serde_json::from_str(&json).ok());
                shown.extend(verdict.map(|verdict| (path, verdict)));
            }
            Ok(shown)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_of_those_who_were_asked_decide() {
        for (valid, invalid, asked, expected) in [
            (0, 0, 0, None),
            (1, 0, 1, Some((true, 1))),
            (1, 0, 2, None),
            (2, 1, 3, Some((true, 2))),
            (1, 2, 3, Some((false, 2))),
            (2, 2, 4, None),
            (0, 9, 16, Some((false, 9))),
            (8, 0, 16, None),
        ] {
            assert_eq!(
                Votes { valid, invalid, asked }.majority(),
                expected,
                "{valid} {invalid} {asked}"
            );
        }
    }
}
