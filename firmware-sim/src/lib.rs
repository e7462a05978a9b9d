//! A chip, readers and a serial scanner that are software, behind the real drivers
