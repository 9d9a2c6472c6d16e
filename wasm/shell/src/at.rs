//! Where a command runs that changes something.

use crate::output::{Ended, Output};
use crate::stack::Stack;
use hoplab_engine::{Around, World};
use hoplab_kernel::edit::{Edit, Refused};
use hoplab_kernel::{NetNs, NetNsId};
use hoplab_trace::{Name, Place};

/// A place of a world, for commands that change it.
pub(crate) struct At<'w> {
    pub world: &'w mut World,
    /// Its stack.
    pub id: NetNsId,
    /// As it was written: `host:ann`.
    pub place: String,
    /// For the random choices of what is sent.
    pub seed: u64,
    /// What was piped in.
    pub stdin: Option<String>,
    /// Whether the line goes on without waiting for it (`&`).
    pub background: bool,
}

/// Status of a request that the kernel refused, and of one that iproute2 did not send.
fn status(refused: &Refused) -> i32 {
    match refused {
        Refused::NoDevice(_) => 1,
        _ => 2,
    }
}

/// What iproute2 prints of a refusal.
pub(crate) fn refusal(refused: &Refused) -> Output {
    Output::failed(status(refused), refused.to_string())
}

impl At<'_> {
    /// The stack here.
    pub fn netns(&self) -> &NetNs {
        self.netns_of(self.id)
    }

    /// The stack with this id.
    pub fn netns_of(&self, id: NetNsId) -> &NetNs {
        Around::stack(&*self.world, id).expect("the place was found in this world")
    }

    /// What commands that only show something look at.
    pub fn stack(&self) -> Result<Stack<'_>, Output> {
        Stack::of(self.world, self.id).ok_or_else(|| Output::failed(crate::NO_PLACE, "no such place"))
    }

    /// One request to the kernel.
    pub fn request(&mut self, ask: &dyn Fn(&mut Edit) -> Result<(), Refused>) -> Ended {
        let mut edit = self.world.edit();
        match ask(&mut edit) {
            Ok(()) => {
                self.world.keep(edit);
                Ok(String::new())
            }
            Err(refused) => Err(refusal(&refused)),
        }
    }

    /// The machine that this place is on: its own namespace's place, and its name.
    pub fn machine(&self) -> Option<(Place, Name)> {
        match &self.netns().place {
            Place::HostNetNs(machine, _) => {
                let host = Place::Host(machine.clone());
                let node = Place::Node(machine.clone());
                let root = if self.world.stack_at(&host).is_some() {
                    host
                } else {
                    node
                };
                Some((root, machine.clone()))
            }
            place @ (Place::Host(name) | Place::Node(name)) => Some((place.clone(), name.clone())),
            _ => None,
        }
    }

    /// A named namespace of this machine.
    pub fn named(&self, name: &str) -> Option<NetNsId> {
        let (_, machine) = self.machine()?;
        self.world.stack_at(&Place::HostNetNs(machine, name.into()))
    }

    /// The namespaces of this machine that have a name in /run/netns, by name: those of containers have none.
    pub fn all_named(&self) -> Vec<(Name, NetNsId)> {
        let Some((root, machine)) = self.machine() else {
            return Vec::new();
        };
        let files = self.world.stack_at(&root).map(|id| self.netns_of(id));
        let all = self.world.places();
        let named = all.filter_map(|(place, id)| match place {
            Place::HostNetNs(on, name)
                if on == machine && !files.is_some_and(|root| crate::docker::is_container(root, &name)) =>
            {
                Some((name, id))
            }
            _ => None,
        });
        let mut named: Vec<(Name, NetNsId)> = named.collect();
        hoplab_source::order::sort(&mut named);
        named
    }

    /// The same in a namespace of this machine.
    pub fn inside<T>(&mut self, name: &str, id: NetNsId, run: impl FnOnce(&mut At<'_>) -> T) -> T {
        let machine = self.machine();
        let kind = match &machine {
            Some((Place::Node(_), _)) => "node",
            _ => "host",
        };
        let machine = machine.map(|(_, name)| name.to_string()).unwrap_or_default();
        let mut at = At {
            world: self.world,
            id,
            place: format!("{kind}:{machine}/{name}"),
            seed: self.seed,
            stdin: self.stdin.take(),
            background: self.background,
        };
        run(&mut at)
    }
}
