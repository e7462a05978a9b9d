//! USB ids as `lsusb` and the device manager show them.

use std::fmt;

/// A maker and one of its products, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UsbId {
    /// The maker (idVendor).
    pub vendor: u16,
    /// The product (idProduct); none where any will do.
    pub product: Option<u16>,
}

impl UsbId {
    /// Takes `1eab:1d06` or `1eab:*`.
    pub fn parse(text: &str) -> Option<Self> {
        let four = |digits: &str| {
            let plain = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            plain.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
        };
        let (vendor, product) = text.split_once(':')?;
        let product = if product == "*" { None } else { Some(four(product)?) };
        Some(Self { vendor: four(vendor)?, product })
    }

    /// Whether a device is meant.
    pub fn matches(self, vendor: u16, product: u16) -> bool {
        self.vendor == vendor && self.product.is_none_or(|known| known == product)
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.product {
            Some(product) => write!(f, "{:04x}:{product:04x}", self.vendor),
            None => write!(f, "{:04x}:*", self.vendor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_shown() {
        for text in ["1eab:1d06", "0c2e:*"] {
            assert_eq!(UsbId::parse(text).map(|id| id.to_string()), Some(text.to_owned()));
        }
        assert!(UsbId::parse("1EAB:1D06").unwrap().matches(0x1EAB, 0x1D06));
        for bad in ["", "1eab", "1eab:", ":1d06", "1eab:1d6", "1eab:+d06", "*:1d06", "1eab:1d06:x"] {
            assert_eq!(UsbId::parse(bad), None, "{bad}");
        }
    }
}
