//! The serialization between processes of foreword: items without NUL bytes, each followed by a
//! NUL; a list begins with its length. It carries what the wrapper has decided to the wrapper chain
//! and the extension.

/// Serializes items.
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    /// Creates a writer with a capacity in bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// Appends an item.
    #[inline(never)]
    pub fn put(&mut self, item: &[u8]) {
        self.bytes.extend_from_slice(item);
        self.bytes.push(0);
    }

    /// Appends a number.
    pub fn put_number(&mut self, number: u32) {
        self.put(number.to_string().as_bytes());
    }

    /// Appends a list, whose elements `put` appends.
    pub fn put_list<T>(&mut self, list: &[T], put: impl Fn(&mut Self, &T)) {
        self.put(list.len().to_string().as_bytes());
        for element in list {
            put(self, element);
        }
    }
}

/// Deserializes the items of a [`Writer`]: the bytes that are left. Each method consumes what it
/// returns, and returns `None` for anything else.
pub struct Reader<'t>(pub &'t [u8]);

impl<'t> Reader<'t> {
    /// Takes an item.
    #[inline(never)]
    pub fn take(&mut self) -> Option<&'t [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let (item, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(item)
    }

    /// Takes an item that is UTF-8.
    pub fn take_str(&mut self) -> Option<&'t str> {
        str::from_utf8(self.take()?).ok()
    }

    /// Takes a number.
    pub fn take_number(&mut self) -> Option<u32> {
        self.take_str()?.parse().ok()
    }

    /// Takes a list, whose elements `take` takes.
    pub fn take_list<T>(&mut self, take: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.take_number()? as usize;
        // Every element has a NUL at least, so a length that is wrong reserves no more memory than
        // there are bytes.
        let mut list = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            list.push(take(self)?);
        }
        Some(list)
    }
}
