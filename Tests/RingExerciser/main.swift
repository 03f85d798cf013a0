import Rings
