//! What a directory knows of a service (spec 7.1).

use crate::{QiString, ServiceId, Signature, record::record};

/// A service's entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceInfo {
    /// Its name.
    pub name: QiString,
    /// Its id, given by the directory.
    pub service_id: ServiceId,
    /// The machine of its host.
    pub machine_id: QiString,
    /// The process of its host.
    pub process_id: u32,
    /// Where its host listens (1.2).
    pub endpoints: Vec<String>,
    /// The session of its host; `0` for the directory.
    pub session_id: QiString,
    /// The identity of its object: 20 bytes, or none from older hosts.
    pub object_uid: QiString,
}

record!(
    ServiceInfo, "ServiceInfo",
    name as "name": QiString,
    service_id as "serviceId": u32,
    machine_id as "machineId": QiString,
    process_id as "processId": u32,
    endpoints as "endpoints": Vec<String>,
    session_id as "sessionId": QiString,
    object_uid as "objectUid": QiString,
);

impl crate::record::Field<u32> for ServiceId {
    fn write(&self, encoder: &mut crate::Encoder<'_>) -> Result<(), crate::CodecError> {
        encoder.write_u32(self.0);
        Ok(())
    }

    fn read(decoder: &mut crate::Decoder<'_>) -> Result<Self, crate::CodecError> {
        decoder.read_u32().map(Self)
    }
}

impl ServiceInfo {
    /// The struct of peers older than libqi 2.8: without `objectUid` (spec 14).
    pub fn legacy_signature() -> Signature {
        let fields = ["name", "serviceId", "machineId", "processId", "endpoints", "sessionId"];
        let string = Signature::string;
        let types = [string(), Signature::uint32(), string(), Signature::uint32(), Signature::list(string()), string()];
        Signature::named_tuple("ServiceInfo", &fields, types)
    }
}
