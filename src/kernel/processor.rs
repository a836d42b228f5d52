//! The instruction sets that kernels are compiled for, and which of them this processor has.
//!
//! The only file that asks the processor. It must not know what the kernels compute.

use std::sync::OnceLock;

/// Instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instructions {
    /// What every processor can do; products and sums are rounded apart.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F.
    Avx512,
    /// The same and tiles of AMX, for those kernels that use them; to the others it is AVX-512.
    Amx,
}

impl Instructions {
    /// Those that this processor has, best first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let features = features();
        let mut available = Vec::new();
        if features.amx_halves && features.amx_bytes {
            available.push(Self::Amx);
        }
        if features.avx512 {
            available.push(Self::Avx512);
        }
        if features.avx2_fma {
            available.push(Self::Avx2);
        }
        available.push(Self::Portable);
        available
    }

    /// The best of them that keep all bits of single precision.
    #[must_use]
    pub fn exact() -> Self {
        static EXACT: OnceLock<Instructions> = OnceLock::new();
        *EXACT.get_or_init(|| {
            Self::available()
                .into_iter()
                .find(|one| *one != Self::Amx)
                .unwrap_or(Self::Portable)
        })
    }
}

/// What this processor can do, as far as a kernel asks; nothing on other architectures.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a set of instructions of its own"
)]
pub(crate) struct Features {
    /// AVX2.
    pub(crate) avx2: bool,
    /// AVX2 and FMA.
    pub(crate) avx2_fma: bool,
    /// AVX2, BMI1 and BMI2.
    pub(crate) avx2_bits: bool,
    /// AVX-512 F.
    pub(crate) avx512: bool,
    /// AVX-512 F, BW, DQ, VL, VBMI and GFNI with AVX2, BMI1 and BMI2: Ice Lake, Zen 4 and later.
    pub(crate) avx512_bits: bool,
    /// VNNI in registers of 256 bits (AVX-VNNI).
    pub(crate) vnni_256: bool,
    /// VNNI in registers of 512 bits (AVX-512 VNNI).
    pub(crate) vnni_512: bool,
    /// Tiles of AMX for bytes.
    pub(crate) amx_bytes: bool,
    /// Tiles of AMX for numbers of 16 bits (bfloat16).
    pub(crate) amx_halves: bool,
}

/// What this processor can do; asked once.
pub(crate) fn features() -> &'static Features {
    static FEATURES: OnceLock<Features> = OnceLock::new();
    FEATURES.get_or_init(detected)
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Features {
    Features::default()
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Features {
    let avx2 = is_x86_feature_detected!("avx2");
    let avx512 = is_x86_feature_detected!("avx512f");
    let avx512_bytes = avx512 && is_x86_feature_detected!("avx512bw");
    let avx2_bits = avx2 && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2");
    let avx512_bits = avx512_bytes
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("gfni");
    let leaf = std::arch::x86_64::__cpuid_count(7, 0);
    let has = |bit: u32| leaf.edx >> bit & 1 == 1;
    let has_tiles = avx512_bytes && has(24) && allowed();
    Features {
        avx2,
        avx2_fma: avx2 && is_x86_feature_detected!("fma"),
        avx2_bits,
        avx512,
        avx512_bits: avx512_bits && avx2_bits,
        vnni_256: avx2 && is_x86_feature_detected!("avxvnni"),
        vnni_512: avx512 && is_x86_feature_detected!("avx512vnni"),
        amx_bytes: has_tiles && has(25),
        amx_halves: has_tiles && has(22) && is_x86_feature_detected!("avx512bf16"),
    }
}

/// Asks Linux for the use of the tile registers, whose state is too large to be saved for every
/// process.
#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "a system call that the standard library does not have"
)]
fn allowed() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    if !cfg!(target_os = "linux") {
        return false;
    }
    let result: i64;
    // SAFETY: the call changes nothing but what this process may use; kernels that do not know it
    // say so.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}
