/* Blocks of a strip as codes of 8 bits: one step for each format, whatever the width of a vector.
 *
 * Owns: what the words of a block hold (blocks.pxd), in vectors of C. Must not know: instructions,
 * products. Included once by each instruction set, which defines LANES, the types Ints (uint32_t
 * lanes), Signed (int32_t), Shorts (uint16_t), Floats, the suffix ISA(name), INLINE, FLIP, PIN,
 * IN_ORDER and the few operations that C has not: load, halves, low_halves, load_bytes, levels,
 * add_fifth.
 *
 * `head` reads what belongs to a whole block; `group` gives the codes of its j-th 32 elements, the
 * four of word i in w[i], and scale and low: x = scale (code - bias) + low, one of each for 32
 * elements or, where the format is fine, for each 16. FLIP is 0x80 in each byte where codes of full
 * 8 bits are wanted without a sign, 0 where they keep it.
 */

typedef struct {
    const uint8_t *at;  /* the block, at this vector's lanes of word 0 */
    const uint8_t *odd; /* and of the half or byte behind its words */
    Floats d, dmin;
    Ints s[4], m[2];
    Ints low[8];        /* words of one group's low nibbles and the next one's high ones, */
    Ints kept[8];       /* and those that more groups need */
} ISA(Head);

typedef struct {
    Ints w[8];
    Floats scale[2], low[2];
} ISA(Codes);

#define WORD(h, i) ISA(load)((h)->at + 64 * (i))
#define BYTE(x, k) ((x) >> (8 * (k)) & 0xFF)
#define LOW_NIBBLES(x) ((x) & 0x0F0F0F0Fu)
#define HIGH_NIBBLES(x) ((x) >> 4 & 0x0F0F0F0Fu)
/* Bits that stand at `from` moved to where `mask` has them, at `to`: one shift. */
#define MOVED(x, from, to, mask) \
    (((from) > (to) ? (x) >> ((from) - (to)) : (x) << ((to) - (from))) & (mask))
#define NUMBER(x) __builtin_convertvector((Signed)(x), Floats)

/* The half or byte behind n_words words: of `part`, where a strip takes several vectors. */
INLINE const uint8_t *ISA(odd)(const uint8_t *block, int part, int n_words, int odd_bytes)
{
    return block + 64 * n_words + part * LANES * odd_bytes;
}

/* 16 bytes of nibbles from word `first` on: elements 0-15 low, 16-31 high. */
INLINE void ISA(nibbles)(const ISA(Head) *h, int first, Ints *w)
{
    UNROLL for (int i = 0; i < 4; i++) {
        Ints x = WORD(h, first + i);
        IN_ORDER(x);
        w[i] = LOW_NIBBLES(x);
        w[4 + i] = HIGH_NIBBLES(x);
    }
}

/* ---- blocks of 32 ---- */

/* Where the half is: the group reads it after its words, by rising addresses (IN_ORDER). */
#define HALF_HEAD(name, n_words)                                                      \
    INLINE void ISA(head_##name)(const uint8_t *block, int part, ISA(Head) *h)        \
    {                                                                                 \
        h->odd = ISA(odd)(block, part, n_words, 2);                                   \
    }

HALF_HEAD(q8_0, 8)
INLINE void ISA(group_q8_0)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    (void)j;
    UNROLL for (int i = 0; i < 8; i++) {
        c->w[i] = WORD(h, i) ^ FLIP;
        IN_ORDER(c->w[i]);
    }
    c->scale[0] = ISA(halves)(h->odd);
}

HALF_HEAD(q4_0, 4)
INLINE void ISA(group_q4_0)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    (void)j;
    ISA(nibbles)(h, 0, c->w);
    c->scale[0] = ISA(halves)(h->odd);
}

INLINE void ISA(head_q4_1)(const uint8_t *block, int part, ISA(Head) *h)
{
    Ints x = WORD(h, 0);
    (void)block, (void)part;
    h->d = ISA(low_halves)(x & 0xFFFF);
    h->dmin = ISA(low_halves)(x >> 16);
}
INLINE void ISA(group_q4_1)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    (void)j;
    ISA(nibbles)(h, 1, c->w);
    c->scale[0] = h->d;
    c->low[0] = h->dmin;
}

HALF_HEAD(q5_0, 5)
INLINE void ISA(group_q5_0)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    Ints fifth = WORD(h, 0);
    (void)j;
    IN_ORDER(fifth);
    ISA(nibbles)(h, 1, c->w);
    UNROLL for (int i = 0; i < 8; i++) c->w[i] = ISA(add_fifth)(c->w[i], fifth, i);
    c->scale[0] = ISA(halves)(h->odd);
}

INLINE void ISA(head_q5_1)(const uint8_t *block, int part, ISA(Head) *h)
{
    ISA(head_q4_1)(block, part, h);
}
INLINE void ISA(group_q5_1)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    Ints fifth = WORD(h, 1);
    (void)j;
    IN_ORDER(fifth);
    ISA(nibbles)(h, 2, c->w);
    UNROLL for (int i = 0; i < 8; i++) c->w[i] = ISA(add_fifth)(c->w[i], fifth, i);
    c->scale[0] = h->d;
    c->low[0] = h->dmin;
}

/* codebooks.pyx; NL as they are and with 128 added, MX with 16 added */
static const int8_t ISA(NL)[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
static const int8_t ISA(MX)[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};

HALF_HEAD(iq4_nl, 4)
INLINE void ISA(group_iq4_nl)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    (void)j;
    ISA(nibbles)(h, 0, c->w);
    UNROLL for (int i = 0; i < 8; i++) c->w[i] = ISA(levels)(ISA(NL), c->w[i]) ^ FLIP;
    c->scale[0] = ISA(halves)(h->odd);
}

INLINE void ISA(head_mxfp4)(const uint8_t *block, int part, ISA(Head) *h)
{
    /* 2^(e - 128); below 2^-126 a float has no exponent, so e = 0 and 1 are bits of its fraction */
    Ints e = ISA(load_bytes)(ISA(odd)(block, part, 4, 1));
    Ints small = (Ints)(e < 2);
    h->d = (Floats)((((e & 1) + 1) << 21 & small) | ((e - 1) << 23 & ~small));
}
INLINE void ISA(group_mxfp4)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    (void)j;
    ISA(nibbles)(h, 0, c->w);
    UNROLL for (int i = 0; i < 8; i++) c->w[i] = ISA(levels)(ISA(MX), c->w[i]);
    c->scale[0] = h->d;
}

/* ---- blocks of 256 ---- */

/* Eight words into registers (PIN keeps the compiler from reading them again where they are used):
 * memory read here and there and there again comes in at a quarter of its speed. */
INLINE void ISA(keep)(ISA(Head) *h, int first)
{
    UNROLL for (int i = 0; i < 8; i++) {
        h->kept[i] = WORD(h, first + i);
        PIN(h->kept[i]);
    }
}

/* Bits 2 (j % 4) of the words from `first` on: 64 bytes, of which 32 serve a half of the block. */
INLINE void ISA(pairs)(const ISA(Head) *h, int first, int j, Ints *w)
{
    UNROLL for (int i = 0; i < 8; i++)
        w[i] = WORD(h, first + 8 * (j >> 2) + i) >> (2 * (j & 3)) & 0x03030303u;
}

INLINE void ISA(head_q2_k)(const uint8_t *block, int part, ISA(Head) *h)
{
    Ints x = WORD(h, 20);
    (void)block, (void)part;
    h->d = ISA(low_halves)(x & 0xFFFF);
    h->dmin = ISA(low_halves)(x >> 16);
    UNROLL for (int i = 0; i < 4; i++) h->s[i] = WORD(h, i);
}
INLINE void ISA(group_q2_k)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    ISA(pairs)(h, 4, j, c->w);
    UNROLL for (int k = 0; k < 2; k++) {
        Ints s = BYTE(h->s[j >> 1], 2 * (j & 1) + k);
        c->scale[k] = h->d * NUMBER(s & 15);
        c->low[k] = -h->dmin * NUMBER(s >> 4);
    }
}

/* scale_q3 (kquants.pxd): low nibbles of words 24, 25, then their high ones; 2 bits of word 26 */
INLINE void ISA(head_q3_k)(const uint8_t *block, int part, ISA(Head) *h)
{
    Ints high = WORD(h, 26);
    h->d = ISA(halves)(ISA(odd)(block, part, 27, 2));
    UNROLL for (int i = 0; i < 4; i++) {
        Ints low = WORD(h, 24 + (i & 1));
        low = i < 2 ? LOW_NIBBLES(low) : HIGH_NIBBLES(low);
        h->s[i] = low | MOVED(high, 2 * i, 4, 0x30303030u);
    }
    ISA(keep)(h, 0);
}
INLINE void ISA(group_q3_k)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    ISA(pairs)(h, 8, j, c->w);
    UNROLL for (int i = 0; i < 8; i++) c->w[i] |= MOVED(h->kept[i], j, 2, 0x04040404u);
    UNROLL for (int k = 0; k < 2; k++)
        c->scale[k] = h->d * NUMBER(BYTE(h->s[j >> 1], 2 * (j & 1) + k) - 32);
}

/* scale_min (kquants.pxd) for four sub-blocks at once, one a byte */
INLINE void ISA(head_q4_k)(const uint8_t *block, int part, ISA(Head) *h)
{
    Ints x = WORD(h, 0), a = WORD(h, 1), b = WORD(h, 2), e = WORD(h, 3);
    (void)block, (void)part;
    h->d = ISA(low_halves)(x & 0xFFFF);
    h->dmin = ISA(low_halves)(x >> 16);
    h->s[0] = a & 0x3F3F3F3Fu;
    h->m[0] = b & 0x3F3F3F3Fu;
    h->s[1] = LOW_NIBBLES(e) | (a >> 2 & 0x30303030u);
    h->m[1] = HIGH_NIBBLES(e) | (b >> 2 & 0x30303030u);
}
INLINE void ISA(nibbles_k)(ISA(Head) *h, int first, int j, ISA(Codes) *c)
{
    UNROLL for (int i = 0; i < 8; i++) {
        if (!(j & 1)) {
            h->low[i] = WORD(h, first + 8 * (j >> 1) + i);
            IN_ORDER(h->low[i]);
        }
        c->w[i] = j & 1 ? HIGH_NIBBLES(h->low[i]) : LOW_NIBBLES(h->low[i]);
    }
    c->scale[0] = h->d * NUMBER(BYTE(h->s[j >> 2], j & 3));
    c->low[0] = -h->dmin * NUMBER(BYTE(h->m[j >> 2], j & 3));
}
INLINE void ISA(group_q4_k)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    ISA(nibbles_k)(h, 4, j, c);
}

INLINE void ISA(head_q5_k)(const uint8_t *block, int part, ISA(Head) *h)
{
    ISA(head_q4_k)(block, part, h);
    ISA(keep)(h, 4);
}
INLINE void ISA(group_q5_k)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    ISA(nibbles_k)(h, 12, j, c);
    UNROLL for (int i = 0; i < 8; i++) c->w[i] |= MOVED(h->kept[i], j, 4, 0x10101010u);
}

INLINE void ISA(head_q6_k)(const uint8_t *block, int part, ISA(Head) *h)
{
    h->d = ISA(halves)(ISA(odd)(block, part, 52, 2));
    UNROLL for (int i = 0; i < 4; i++) h->s[i] = WORD(h, 48 + i);
}
INLINE void ISA(group_q6_k)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    int half = j >> 2, part = j & 3;
    if (part == 0) ISA(keep)(h, 32 + 8 * half);
    UNROLL for (int i = 0; i < 8; i++) {
        Ints low = WORD(h, 16 * half + 8 * (part & 1) + i);
        low = part < 2 ? LOW_NIBBLES(low) : HIGH_NIBBLES(low);
        c->w[i] = low | MOVED(h->kept[i], 2 * part, 4, 0x30303030u);
    }
    UNROLL for (int k = 0; k < 2; k++) {
        Signed s = (Signed)(h->s[j >> 1] << (24 - 8 * (2 * (j & 1) + k))) >> 24;
        c->scale[k] = h->d * NUMBER(s);
    }
}

INLINE void ISA(head_iq4_xs)(const uint8_t *block, int part, ISA(Head) *h)
{
    (void)block, (void)part;
    h->s[0] = WORD(h, 0);
    h->s[1] = WORD(h, 1);
    h->d = ISA(low_halves)(h->s[0] & 0xFFFF);
}
INLINE void ISA(group_iq4_xs)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    Ints s = (h->s[1] >> (4 * j) & 15) | (h->s[0] >> (16 + 2 * j) & 3) << 4;
    ISA(nibbles)(h, 2 + 4 * j, c->w);
    UNROLL for (int i = 0; i < 8; i++) c->w[i] = ISA(levels)(ISA(NL), c->w[i]) ^ FLIP;
    c->scale[0] = h->d * NUMBER(s - 32);
}

INLINE void ISA(head_tq1_0)(const uint8_t *block, int part, ISA(Head) *h)
{
    h->d = ISA(halves)(ISA(odd)(block, part, 13, 2));
}
/* Digit k of each byte (codebooks.pxd, digit), bytes at even and odd places apart. */
INLINE Ints ISA(digits)(Ints x, int k)
{
    const uint16_t power[5] = {1, 3, 9, 27, 81};
    Shorts even = (Shorts)(x & 0x00FF00FFu), odd = (Shorts)(x >> 8 & 0x00FF00FFu);
    even = ((even * power[k] & 0xFF) * 3) >> 8;
    odd = ((odd * power[k] & 0xFF) * 3) >> 8;
    return (Ints)even | (Ints)odd << 8;
}
INLINE void ISA(group_tq1_0)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    UNROLL for (int i = 0; i < 8; i++) {
        if (j < 5)
            c->w[i] = ISA(digits)(WORD(h, i), j);
        else if (j < 7)
            c->w[i] = ISA(digits)(WORD(h, 8 + (i & 3)), 2 * (j - 5) + (i >> 2));
        else
            c->w[i] = i < 4 ? ISA(digits)(WORD(h, 8 + i), 4) : ISA(digits)(WORD(h, 12), i - 4);
    }
    c->scale[0] = h->d;
}

INLINE void ISA(head_tq2_0)(const uint8_t *block, int part, ISA(Head) *h)
{
    h->d = ISA(halves)(ISA(odd)(block, part, 16, 2));
}
INLINE void ISA(group_tq2_0)(ISA(Head) *h, int j, ISA(Codes) *c)
{
    ISA(pairs)(h, 0, j, c->w);
    c->scale[0] = h->d;
}

#undef WORD
#undef BYTE
#undef LOW_NIBBLES
#undef HIGH_NIBBLES
#undef NUMBER
#undef HALF_HEAD
