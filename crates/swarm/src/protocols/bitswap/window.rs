//! What the asking side knows about one peer: how much it is asked for, and how well it answers.

use std::collections::VecDeque;

use optimusdb_dag::Cid;

use super::limits::{
    ASKED_WANTS_MAX, REST_MS, SLOW_WINDOW_BLOCKS_MIN, WINDOW_BLOCKS_MAX, WINDOW_BLOCKS_MIN,
    WINDOW_BYTES_MAX,
};
use super::message::WantType;

/// Where the estimate of the size of a peer's blocks begins: the window is wide open.
const FIRST_ESTIMATE_BYTES: usize = WINDOW_BYTES_MAX / WINDOW_BLOCKS_MAX;

/// The questions that are open at one peer.
pub(super) struct PeerWindow {
    blocks: usize,
    haves: usize,
    /// Moving average of its blocks' sizes.
    block_bytes: usize,
    /// When it last sent a block.
    heard_at: u64,
    rests_until: u64,
    /// Blocks that it may be asked for at a time: halved when it is late, and grown by every block.
    blocks_max: usize,
    /// Fetches that wait for a place. Some may have ended meanwhile.
    parked: VecDeque<Cid>,
    /// It does not speak bitswap.
    pub(super) mute: bool,
    /// It is a node of the own swarm.
    pub(super) member: bool,
}

impl PeerWindow {
    pub(super) fn new(now: u64) -> PeerWindow {
        PeerWindow {
            blocks: 0,
            haves: 0,
            block_bytes: FIRST_ESTIMATE_BYTES,
            heard_at: now,
            rests_until: 0,
            blocks_max: WINDOW_BLOCKS_MAX,
            parked: VecDeque::new(),
            mute: false,
            member: false,
        }
    }

    /// Whether it may be asked at all, where only nodes of the own swarm may or where all may.
    pub(super) fn takes_part(&self, members_only: bool) -> bool {
        !self.mute && (self.member || !members_only)
    }

    /// Whether another block may be asked for now.
    pub(super) fn has_place(&self) -> bool {
        let blocks_max = (WINDOW_BYTES_MAX / self.block_bytes.max(1))
            .clamp(WINDOW_BLOCKS_MIN, WINDOW_BLOCKS_MAX);
        self.blocks < blocks_max.min(self.blocks_max) && self.may_be_asked()
    }

    /// Whether any question may be asked now.
    pub(super) fn may_be_asked(&self) -> bool {
        self.blocks + self.haves < ASKED_WANTS_MAX
    }

    pub(super) fn take_place(&mut self, ask: WantType) {
        *self.places(ask) += 1;
    }

    pub(super) fn release(&mut self, ask: WantType) {
        let places = self.places(ask);
        *places = places.saturating_sub(1);
    }

    fn places(&mut self, ask: WantType) -> &mut usize {
        match ask {
            WantType::Block => &mut self.blocks,
            WantType::Have => &mut self.haves,
        }
    }

    /// It sent a block.
    pub(super) fn heard(&mut self, now: u64, bytes: usize) {
        self.heard_at = now;
        self.rests_until = 0;
        self.blocks_max = (self.blocks_max + 1).min(WINDOW_BLOCKS_MAX);
        self.block_bytes = (self.block_bytes * 7 + bytes) / 8;
    }

    /// How long a question from `asked` has seen no block of any sort.
    pub(super) fn silence(&self, now: u64, asked: u64) -> u64 {
        now.saturating_sub(asked.max(self.heard_at))
    }

    /// It did not answer in time: it stands behind others, and is asked for less, as it may be slow.
    pub(super) fn late(&mut self, now: u64) {
        // Many questions are late together, and count once.
        if !self.is_resting(now) {
            self.blocks_max = (self.blocks / 2).max(SLOW_WINDOW_BLOCKS_MIN);
        }
        self.rest(now + REST_MS);
    }

    pub(super) fn rest(&mut self, until: u64) {
        self.rests_until = self.rests_until.max(until);
    }

    pub(super) fn is_resting(&self, now: u64) -> bool {
        now < self.rests_until
    }

    /// The lower, the better.
    pub(super) fn rank(&self, now: u64) -> (bool, usize) {
        (self.is_resting(now), self.blocks)
    }

    pub(super) fn park(&mut self, cid: Cid) {
        self.parked.push_back(cid);
    }

    pub(super) fn unpark(&mut self) -> Option<Cid> {
        self.parked.pop_front()
    }

    pub(super) fn take_parked(&mut self) -> Vec<Cid> {
        std::mem::take(&mut self.parked).into()
    }
}
