"""A question twice."""

FAILS = {
    "choices_sizes": "choices-same",
    "measured_growth": "choices-same",
    "measured_work": "choices-same",
    "measured_reuse": "choices-same",
    "measured_sizes": "choices-same",
    "measured_pressure": "choices-same",
}


def choices():
    return {
        "prompt": "JULIET:\nO Romeo, Romeo! wherefore art thou Romeo?\n\nROMEO:\n",
        "prefix": (
            "The scene is Verona, a street before the house of Capulet, at night in summer. "
            "Answer as a player of the company would, in verse where it can be done, and never "
            "leave your part. Be brief; the audience is standing. Enter ROMEO, BENVOLIO and "
            "MERCUTIO, with masks and torches, and the Nurse after them.\n\n"
        ),
        "questions": [
            "BENVOLIO:\nWhat, shall this speech be spoke for our excuse?",
            "MERCUTIO:\nNay, gentle Romeo, we must have you dance.",
            "ROMEO:\nIs love a tender thing?",
            "ROMEO:\nIs love a tender thing?",
            "CAPULET:\nWelcome, gentlemen! Ladies that have their toes unplagued will walk a bout.",
            "TYBALT:\nThis, by his voice, should be a Montague.",
            "JULIET:\nGood pilgrim, you do wrong your hand too much.",
            "FRIAR LAURENCE:\nWisely and slow; they stumble that run fast.",
        ],
        "seed": 1597,
    }
