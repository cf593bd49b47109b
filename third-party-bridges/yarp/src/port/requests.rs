//! Administrative requests (spec 3.4).

use std::sync::Arc;

use keyway_yarp_wire::{
    Bottle, Carrier, Item,
    admin::{self, Destination, Request},
};

use super::{Inner, Way, output::AddError};

impl Inner {
    pub(super) async fn administer(self: &Arc<Self>, bottle: &Bottle) -> Bottle {
        match Request::parse(bottle) {
            Request::Version => admin::version(),
            Request::Help => admin::help(),
            Request::Inputs => self.peers(Way::In),
            Request::Outputs => self.peers(Way::Out),
            Request::Input(peer) => self.connection(Way::In, &peer),
            Request::Output(peer) => self.connection(Way::Out, &peer),
            Request::Add(destination) => match self.connect(&destination).await {
                Ok(text) => admin::outcome(0, &text),
                Err(error) => admin::outcome(-1, &error.to_string()),
            },
            Request::Delete(peer) => match self.disconnect(&peer) {
                Ok(text) => admin::outcome(0, &text),
                Err(text) => admin::outcome(-1, &text),
            },
            Request::Unknown => admin::unknown(),
        }
    }

    /// What a text carrier says by the name of a port: `/port` connects to it, `!/port` disconnects, `~/port` disconnects an input.
    pub(super) async fn route(self: &Arc<Self>, line: &str, from: &str) -> String {
        let (sign, name) = match line.as_bytes().first() {
            Some(b'!' | b'~') => line.split_at(1),
            _ => ("", line),
        };
        if !name.starts_with('/') {
            return format!("Port command not understood: {from} said {line:?}");
        }
        match sign {
            "" => {
                let bottle = Bottle { items: vec![Item::vocab("add"), Item::from(name.replacen(' ', "", 1))] };
                let Request::Add(destination) = Request::parse(&bottle) else { return String::new() };
                self.connect(&destination).await.unwrap_or_else(|error| error.to_string())
            }
            "!" => self.disconnect(name).unwrap_or_else(|text| text),
            _ => format!("Inputs are ended by those who opened them: {name}"),
        }
    }

    async fn connect(self: &Arc<Self>, destination: &Destination) -> Result<String, AddError> {
        let Destination { text, carrier, port } = destination;
        let shown = if text.starts_with('/') { format!("{carrier}:/{port}") } else { text.clone() };
        if self.purpose.outputs.is_none() {
            return Err(AddError::NotAllowed);
        }
        // Carriers with modifiers would load plug-ins; none is known here, and none is looked for.
        let carrier: Carrier = carrier.parse().map_err(|_| AddError::Failed(shown.clone()))?;
        self.add_output(port, carrier, &shown).await?;
        Ok(format!("Added connection from {} to {shown}", self.name))
    }

    fn disconnect(&self, peer: &str) -> Result<String, String> {
        let removed = self.purpose.outputs.as_ref().and_then(|outputs| outputs.remove(peer));
        let id = removed.ok_or_else(|| format!("Could not find an outgoing connection to {peer}"))?;
        self.links.remove(id);
        Ok(format!("Removed connection from {} to {peer}", self.name))
    }

    fn peers(&self, way: Way) -> Bottle {
        self.links.ports(way).into_iter().collect()
    }

    fn connection(&self, way: Way, peer: &str) -> Bottle {
        match (self.links.find(way, peer), way) {
            (Some(carrier), Way::In) => admin::connection(peer, &self.name, carrier),
            (Some(carrier), Way::Out) => admin::connection(&self.name, peer, carrier),
            (None, _) => Bottle::default(),
        }
    }
}
