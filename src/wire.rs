//! The one serialization between processes of foreword: items one after the other, each with a NUL
//! after it; how many a list has comes first. The wrapper chain and the extension are told with it
//! what the wrapper has decided.

pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    #[inline(never)]
    pub fn put(&mut self, item: &[u8]) {
        self.bytes.extend_from_slice(item);
        self.bytes.push(0);
    }

    pub fn put_number(&mut self, number: u32) {
        self.put(number.to_string().as_bytes());
    }

    pub fn put_list<T>(&mut self, list: &[T], put: impl Fn(&mut Self, &T)) {
        self.put_number(list.len() as u32);
        list.iter().for_each(|item| put(self, item));
    }
}

/// What is left to read. Everything is `None` for what no `Writer` wrote.
pub struct Reader<'t>(pub &'t [u8]);

impl<'t> Reader<'t> {
    #[inline(never)]
    pub fn take(&mut self) -> Option<&'t [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let (item, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(item)
    }

    pub fn take_str(&mut self) -> Option<&'t str> {
        str::from_utf8(self.take()?).ok()
    }

    pub fn take_number(&mut self) -> Option<u32> {
        self.take_str()?.parse().ok()
    }

    pub fn take_list<T>(&mut self, take: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.take_number()? as usize;
        // Each takes a byte at least.
        let mut list = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            list.push(take(self)?);
        }
        Some(list)
    }
}
