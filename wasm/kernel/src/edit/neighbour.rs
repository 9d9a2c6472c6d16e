//! Neighbour entries. Models net/core/neighbour.c neigh_add, neigh_delete.

use super::route::Mode;
use super::{EXISTS, Edit, NO_ENTRY, Refused};
use crate::NetNsId;
use crate::netns::Neighbour;
use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use std::net::IpAddr;

/// A neighbour to be noted.
#[derive(Clone, Copy, Debug)]
pub struct NewNeighbour {
    /// Whose.
    pub ip: IpAddr,
    /// Its link address.
    pub mac: MacAddr,
    /// `nud permanent`; else it counts as reachable.
    pub permanent: bool,
}

impl Edit {
    /// RTM_NEWNEIGH; `learned` says whether packets taught this neighbour.
    pub fn neigh_add(
        &mut self,
        netns: NetNsId,
        device: &str,
        new: NewNeighbour,
        mode: Mode,
        learned: bool,
    ) -> Result<(), Refused> {
        self.device(netns, device)?;
        let key = (Name::from(device), new.ip);
        let known = learned || self.netns(netns).neighbours.contains_key(&key);
        match mode {
            Mode::Add if known => return Err(EXISTS),
            Mode::Change if !known => return Err(NO_ENTRY),
            _ => {}
        }
        let entry = Neighbour {
            mac: new.mac,
            permanent: new.permanent,
            origin: self.origin.clone(),
        };
        self.netns_mut(netns).neighbours.insert(key, entry);
        Ok(())
    }

    /// RTM_DELNEIGH.
    pub fn neigh_del(
        &mut self,
        netns: NetNsId,
        device: &str,
        ip: IpAddr,
        learned: bool,
    ) -> Result<(), Refused> {
        self.device(netns, device)?;
        let gone = self
            .netns_mut(netns)
            .neighbours
            .shift_remove(&(Name::from(device), ip));
        if gone.is_none() && !learned {
            return Err(NO_ENTRY);
        }
        Ok(())
    }
}
