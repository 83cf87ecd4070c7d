/* What the integer product is made of, for the instruction set that includes this. */
#include "unpack.h"
#include "product.h"
#include "ceiling.h"
