//! The form of requests and replies (draft-ietf-secsh-filexfer-02): a length, a type, a number, and fields.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::facts::Facts;

pub(super) const VERSION: u32 = 3;

/// What a packet is (section 3).
pub(super) mod kind {
    pub const INIT: u8 = 1;
    pub const VERSION: u8 = 2;
    pub const OPEN: u8 = 3;
    pub const CLOSE: u8 = 4;
    pub const READ: u8 = 5;
    pub const WRITE: u8 = 6;
    pub const LSTAT: u8 = 7;
    pub const FSTAT: u8 = 8;
    pub const SETSTAT: u8 = 9;
    pub const FSETSTAT: u8 = 10;
    pub const OPENDIR: u8 = 11;
    pub const READDIR: u8 = 12;
    pub const REMOVE: u8 = 13;
    pub const MKDIR: u8 = 14;
    pub const RMDIR: u8 = 15;
    pub const REALPATH: u8 = 16;
    pub const STAT: u8 = 17;
    pub const RENAME: u8 = 18;
    pub const STATUS: u8 = 101;
    pub const HANDLE: u8 = 102;
    pub const DATA: u8 = 103;
    pub const NAME: u8 = 104;
    pub const ATTRS: u8 = 105;
    pub const EXTENDED: u8 = 200;
    pub const EXTENDED_REPLY: u8 = 201;
}

/// How a file is opened (section 6.3).
pub(super) mod how {
    pub const READ: u32 = 1;
    pub const WRITE: u32 = 2;
    pub const CREATE: u32 = 8;
    pub const EXCLUSIVE: u32 = 32;
}

/// A request without its number, which the connection gives it.
#[derive(Debug)]
pub(super) struct Request {
    kind: u8,
    fields: BytesMut,
    /// What stands at the end, not copied.
    data: Bytes,
}

impl Request {
    pub fn new(kind: u8) -> Self {
        Self { kind, fields: BytesMut::with_capacity(64), data: Bytes::new() }
    }

    /// A request of a name of its own.
    pub fn extended(name: &str) -> Self {
        Self::new(kind::EXTENDED).bytes(name.as_bytes())
    }

    pub fn number(mut self, number: u32) -> Self {
        self.fields.put_u32(number);
        self
    }

    pub fn long(mut self, number: u64) -> Self {
        self.fields.put_u64(number);
        self
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.fields.put_u32(length(bytes.len()));
        self.fields.put_slice(bytes);
        self
    }

    pub fn facts(mut self, facts: &Facts) -> Self {
        facts.write(&mut self.fields);
        self
    }

    /// The last field.
    pub fn data(mut self, data: Bytes) -> Self {
        self.fields.put_u32(length(data.len()));
        self.data = data;
        self
    }

    /// What is sent, in two pieces.
    pub fn packet(self, id: u32) -> (Bytes, Bytes) {
        let mut head = BytesMut::with_capacity(9 + self.fields.len());
        head.put_u32(length(5 + self.fields.len() + self.data.len()));
        head.put_u8(self.kind);
        head.put_u32(id);
        head.put_slice(&self.fields);
        (head.freeze(), self.data)
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("paths and pieces of files are far below 4 GiB")
}

/// The first packet of all, which has no number.
pub(super) fn hello() -> Bytes {
    let mut packet = BytesMut::with_capacity(9);
    packet.put_u32(5);
    packet.put_u8(kind::INIT);
    packet.put_u32(VERSION);
    packet.freeze()
}

/// Fields, taken from the front. `None`: they are not what they should be.
#[derive(Clone, Debug)]
pub(super) struct Fields(pub Bytes);

impl Fields {
    pub fn byte(&mut self) -> Option<u8> {
        (!self.0.is_empty()).then(|| self.0.get_u8())
    }

    pub fn number(&mut self) -> Option<u32> {
        (self.0.len() >= 4).then(|| self.0.get_u32())
    }

    pub fn long(&mut self) -> Option<u64> {
        (self.0.len() >= 8).then(|| self.0.get_u64())
    }

    pub fn bytes(&mut self) -> Option<Bytes> {
        let len = usize::try_from(self.number()?).ok()?;
        (self.0.len() >= len).then(|| self.0.split_to(len))
    }
}

/// A member of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Any bytes.
    pub name: Bytes,
    pub facts: Facts,
}

/// What came back.
#[derive(Debug)]
pub(super) enum Reply {
    Status { code: u32, message: String },
    Handle(Bytes),
    Data(Bytes),
    Names(Vec<Member>),
    Facts(Facts),
    Extended(Fields),
}

impl Reply {
    /// A packet without its length: the number of the request, and what came.
    pub fn read(packet: Bytes) -> Option<(u32, Self)> {
        let mut fields = Fields(packet);
        let (kind, id) = (fields.byte()?, fields.number()?);
        let reply = match kind {
            kind::STATUS => {
                let code = fields.number()?;
                // Servers of older versions leave the words out.
                let message = fields.bytes().unwrap_or_default();
                Self::Status { code, message: String::from_utf8_lossy(&message).into_owned() }
            }
            kind::HANDLE => Self::Handle(fields.bytes()?),
            kind::DATA => Self::Data(fields.bytes()?),
            kind::NAME => {
                let count = fields.number()?;
                let mut members = Vec::new();
                for _ in 0..count {
                    let name = fields.bytes()?;
                    let _line_for_people = fields.bytes()?;
                    members.push(Member { name, facts: Facts::read(&mut fields)? });
                }
                Self::Names(members)
            }
            kind::ATTRS => Self::Facts(Facts::read(&mut fields)?),
            kind::EXTENDED_REPLY => Self::Extended(fields),
            _ => return None,
        };
        Some((id, reply))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_their_form() {
        let request = Request::new(kind::WRITE).bytes(b"h").long(5).data(Bytes::from_static(b"xyz"));
        let (head, data) = request.packet(9);
        assert_eq!(&head[..], b"\0\0\0\x19\x06\0\0\0\x09\0\0\0\x01h\0\0\0\0\0\0\0\x05\0\0\0\x03");
        assert_eq!(&data[..], b"xyz");
        assert_eq!(&hello()[..], b"\0\0\0\x05\x01\0\0\0\x03");
    }

    #[test]
    fn replies_are_read_and_cut_ones_are_not() {
        let packet = b"\x65\0\0\0\x07\0\0\0\x02\0\0\0\x04gone\0\0\0\0";
        let (id, reply) = Reply::read(Bytes::from_static(packet)).unwrap();
        assert!(id == 7 && matches!(reply, Reply::Status { code: 2, ref message } if message == "gone"));
        let bare = Reply::read(Bytes::from_static(b"\x65\0\0\0\x07\0\0\0\x01"));
        assert!(matches!(bare, Some((7, Reply::Status { code: 1, .. }))));
        let names = b"\x68\0\0\0\x01\0\0\0\x01\0\0\0\x02\xff\xfe\0\0\0\x01-\0\0\0\x01\0\0\0\0\0\0\0\x05";
        let Some((1, Reply::Names(members))) = Reply::read(Bytes::from_static(names)) else { panic!("no names") };
        assert_eq!((&members[0].name[..], members[0].facts.size), (&b"\xff\xfe"[..], Some(5)));
        for len in 0..names.len() {
            assert!(Reply::read(Bytes::copy_from_slice(&names[..len])).is_none(), "{len}");
        }
    }

    proptest::proptest! {
        /// Whatever a server sends, nothing panics.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Reply::read(bytes.into());
        }
    }
}
