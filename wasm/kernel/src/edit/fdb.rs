//! Entries of MAC tables. Models net/bridge/br_fdb.c and drivers/net/vxlan/vxlan_core.c.

use super::{EXISTS, Edit, NO_ENTRY, NOT_SUPPORTED, Refused};
use crate::NetNsId;
use crate::interface::{FdbEntry, InterfaceKind};
use hoplab_source::collections::IndexMap;
use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use std::net::IpAddr;

/// An entry to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewFdbEntry {
    /// The link address.
    pub mac: MacAddr,
    /// Remote tunnel end, of a VXLAN device.
    pub remote: Option<IpAddr>,
    /// Whether it does not age.
    pub permanent: bool,
    /// Whether one that exists is replaced.
    pub replace: bool,
    /// In the table of the bridge that the device is a port of, rather than the device's own.
    pub master: bool,
}

impl Edit {
    fn fdb_of(
        &mut self,
        netns: NetNsId,
        device: &str,
        master: bool,
    ) -> Result<&mut IndexMap<MacAddr, FdbEntry>, Refused> {
        let own = self.device(netns, device)?;
        let table = match (master, &own.master) {
            (true, Some(bridge)) => bridge.clone(),
            (true, None) => return Err(NOT_SUPPORTED),
            (false, _) => Name::from(device),
        };
        match &mut self.device_mut(netns, &table)?.kind {
            InterfaceKind::Bridge(bridge) => Ok(&mut bridge.fdb),
            InterfaceKind::Vxlan(vxlan) => Ok(&mut vxlan.fdb),
            _ => Err(Refused::NotModelled(
                "the list of link addresses of a device that is no bridge",
            )),
        }
    }

    /// RTM_NEWNEIGH of family AF_BRIDGE.
    pub fn fdb_add(&mut self, netns: NetNsId, device: &str, new: NewFdbEntry) -> Result<(), Refused> {
        let entry = FdbEntry {
            device: device.into(),
            remote: new.remote,
            permanent: new.permanent,
            origin: self.origin.clone(),
        };
        let table = self.fdb_of(netns, device, new.master)?;
        if !new.replace && table.contains_key(&new.mac) {
            return Err(EXISTS);
        }
        table.insert(new.mac, entry);
        Ok(())
    }

    /// RTM_DELNEIGH of family AF_BRIDGE; `learned` says whether packets taught this entry.
    pub fn fdb_del(
        &mut self,
        netns: NetNsId,
        device: &str,
        mac: MacAddr,
        master: bool,
        learned: bool,
    ) -> Result<(), Refused> {
        let gone = self.fdb_of(netns, device, master)?.shift_remove(&mac);
        if gone.is_none() && !learned {
            return Err(NO_ENTRY);
        }
        Ok(())
    }
}
