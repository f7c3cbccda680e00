"""What stands between our text encoders, autoencoders and ControlNets and the objects that plugins expect of them."""
