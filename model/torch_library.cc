// libgroupmamba_torch.so is the operators' files; a library wants one of its
// own, too.
namespace groupmamba {}
