// Everything a CUDA source sees without including anything, in the order of dependence.
// What it has to include (halves, cooperative groups, limits) stands in files of its own; the names
// that a source may include, and what they stand for, are in cudasim/source.py.
#pragma once
#include "qualifiers.h"
#include "traits.h"
#include "vectors.h"
#include "math.h"
#include "warp.h"
#include "atomics.h"
#include "entry.h"
